package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/httpstream"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/portforward"
	"k8s.io/client-go/tools/remotecommand"
	"k8s.io/client-go/transport/spdy"
)

func (c *client) log(ctx context.Context) error {
	lines, err := c.typed.CoreV1().Pods(c.namespace).GetLogs(c.pod, &corev1.PodLogOptions{}).DoRaw(ctx)
	if err == nil && !strings.Contains(string(lines), "listening") {
		err = fmt.Errorf("%q", lines)
	}
	return err
}

// stream runs cat with a line on its stdin.
func (c *client) stream(ctx context.Context, executor func(*rest.Request) (remotecommand.Executor, error)) error {
	request := c.typed.CoreV1().RESTClient().Post().Resource("pods").Namespace(c.namespace).Name(c.pod).SubResource("exec")
	request.VersionedParams(&corev1.PodExecOptions{Command: []string{"cat"}, Stdin: true, Stdout: true, Stderr: true}, scheme.ParameterCodec)
	made, err := executor(request)
	if err != nil {
		return err
	}
	var said bytes.Buffer
	err = made.StreamWithContext(ctx, remotecommand.StreamOptions{Stdin: strings.NewReader("ahoy\n"), Stdout: &said, Stderr: io.Discard})
	if err == nil && said.String() != "ahoy\n" {
		err = fmt.Errorf("%q", said.String())
	}
	return err
}

func (c *client) execWebSocket(ctx context.Context) error {
	return c.stream(ctx, func(request *rest.Request) (remotecommand.Executor, error) {
		return remotecommand.NewWebSocketExecutor(c.config, "GET", request.URL().String())
	})
}

func (c *client) execSPDY(ctx context.Context) error {
	return c.stream(ctx, func(request *rest.Request) (remotecommand.Executor, error) {
		return remotecommand.NewSPDYExecutor(c.config, "POST", request.URL())
	})
}

func (c *client) forwardSPDY(ctx context.Context) error {
	request := c.typed.CoreV1().RESTClient().Post().Resource("pods").Namespace(c.namespace).Name(c.pod).SubResource("portforward")
	transport, upgrader, err := spdy.RoundTripperFor(c.config)
	if err != nil {
		return err
	}
	return forward(ctx, spdy.NewDialer(upgrader, &http.Client{Transport: transport}, "POST", request.URL()))
}

func (c *client) forwardWebSocket(ctx context.Context) error {
	request := c.typed.CoreV1().RESTClient().Post().Resource("pods").Namespace(c.namespace).Name(c.pod).SubResource("portforward")
	dialer, err := portforward.NewSPDYOverWebsocketDialer(request.URL(), c.config)
	if err != nil {
		return err
	}
	return forward(ctx, dialer)
}

// forward sends a line to a port of the pod, which sends it back.
func forward(ctx context.Context, dialer httpstream.Dialer) error {
	stop, ready, failed := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	forwarder, err := portforward.NewOnAddresses(dialer, []string{"127.0.0.1"}, []string{"0:8080"}, stop, ready, io.Discard, io.Discard)
	if err != nil {
		return err
	}
	go func() { failed <- forwarder.ForwardPorts() }()
	defer close(stop)
	select {
	case <-ready:
	case err := <-failed:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
	ports, err := forwarder.GetPorts()
	if err != nil {
		return err
	}
	connection, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", ports[0].Local))
	if err != nil {
		return err
	}
	defer connection.Close()
	deadline, _ := ctx.Deadline()
	if err := connection.SetDeadline(deadline); err != nil {
		return err
	}
	if _, err := connection.Write([]byte("ahoy")); err != nil {
		return err
	}
	back := make([]byte, 4)
	if _, err = io.ReadFull(connection, back); err == nil && string(back) != "ahoy" {
		err = fmt.Errorf("%q", back)
	}
	return err
}
