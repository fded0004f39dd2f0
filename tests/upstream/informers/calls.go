package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/restmapper"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/leaderelection"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
	"k8s.io/client-go/tools/pager"
	watchtools "k8s.io/client-go/tools/watch"
)

// client is everything that a call may need.
type client struct {
	config    *rest.Config
	typed     *kubernetes.Clientset
	dynamic   *dynamic.DynamicClient
	metadata  metadata.Interface
	namespace string
	pod       string
}

// calls makes each call and says how it went; one that fails does not keep the others from being made.
func calls(config *rest.Config, namespace, pod string) {
	c := &client{
		config:    config,
		typed:     kubernetes.NewForConfigOrDie(config),
		dynamic:   dynamic.NewForConfigOrDie(config),
		metadata:  metadata.NewForConfigOrDie(config),
		namespace: namespace,
		pod:       pod,
	}
	for _, call := range []struct {
		name string
		make func(context.Context) error
	}{
		{"discovery, aggregated", c.discoverAtOnce},
		{"discovery, classic", c.discoverOneByOne},
		{"OpenAPI v3", c.openAPI},
		{"REST mapper", c.mapper},
		{"lists in pages", c.pages},
		{"metadata of a collection", c.onlyMetadata},
		{"apply by typed configurations", c.apply},
		{"apply to a custom resource", c.applyCustom},
		{"conflicts are retried", c.conflicts},
		{"patches", c.patches},
		{"scale client", c.scale},
		{"leader election", c.elect},
		{"events", c.record},
		{"watch until a condition", c.until},
		{"token request", c.token},
		{"log", c.log},
		{"exec by WebSocket", c.execWebSocket},
		{"exec by SPDY", c.execSPDY},
		{"port-forward by SPDY", c.forwardSPDY},
		{"port-forward by WebSocket", c.forwardWebSocket},
		{"delete a collection", c.deleteCollection},
		{"errors", c.errors},
	} {
		ctx, cancel := within()
		err := call.make(ctx)
		cancel()
		line := map[string]any{"what": "call", "call": call.name, "error": ""}
		if err != nil {
			line["error"] = err.Error()
		}
		say(line)
	}
}

func (c *client) discoverAtOnce(context.Context) error {
	groups, resources, broken, err := c.typed.Discovery().(*discovery.DiscoveryClient).GroupsAndMaybeResources()
	if err != nil || len(broken) > 0 {
		return fmt.Errorf("%w, %v", err, broken)
	}
	if resources == nil {
		return fmt.Errorf("the answer was not aggregated")
	}
	if list := resources[schema.GroupVersion{Group: "apps", Version: "v1"}]; list == nil || len(groups.Groups) < 10 {
		return fmt.Errorf("apps/v1 is not among %d groups", len(groups.Groups))
	}
	return nil
}

func (c *client) discoverOneByOne(context.Context) error {
	legacy := discovery.NewDiscoveryClientForConfigOrDie(c.config)
	legacy.UseLegacyDiscovery = true
	_, slow, err := legacy.ServerGroupsAndResources()
	if err != nil {
		return err
	}
	_, quick, err := c.typed.Discovery().ServerGroupsAndResources()
	if err != nil {
		return err
	}
	if one, other := names(slow), names(quick); one != other {
		return fmt.Errorf("classic: %s; aggregated: %s", one, other)
	}
	_, err = legacy.ServerVersion()
	return err
}

func names(lists []*metav1.APIResourceList) string {
	var found []string
	for _, list := range lists {
		for _, resource := range list.APIResources {
			found = append(found, list.GroupVersion+"/"+resource.Name+"="+resource.Kind+resource.Verbs.String())
		}
	}
	slices.Sort(found)
	return strings.Join(found, " ")
}

func (c *client) openAPI(context.Context) error {
	paths, err := c.typed.Discovery().OpenAPIV3().Paths()
	if err != nil {
		return err
	}
	for name, path := range paths {
		if document, err := path.Schema(runtime.ContentTypeJSON); err != nil || len(document) < 10 {
			return fmt.Errorf("%s: %d bytes, %w", name, len(document), err)
		}
	}
	return nil
}

func (c *client) mapper(context.Context) error {
	found, err := restmapper.GetAPIGroupResources(c.typed.Discovery())
	if err != nil {
		return err
	}
	mapping, err := restmapper.NewDiscoveryRESTMapper(found).RESTMapping(schema.GroupKind{Group: ships.Group, Kind: "Ship"})
	if err == nil && mapping.Resource != ships {
		err = fmt.Errorf("mapped to %v", mapping.Resource)
	}
	return err
}

func (c *client) pages(ctx context.Context) error {
	maps := c.typed.CoreV1().ConfigMaps(c.namespace)
	for number := range 25 {
		object := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{GenerateName: "page-", Labels: map[string]string{"page": "yes"}}}
		object.Data = map[string]string{"number": fmt.Sprint(number)}
		if _, err := maps.Create(ctx, object, metav1.CreateOptions{}); err != nil {
			return err
		}
	}
	pages := pager.New(pager.SimplePageFunc(func(options metav1.ListOptions) (runtime.Object, error) {
		return maps.List(ctx, options)
	}))
	pages.PageSize = 4
	seen := map[string]bool{}
	err := pages.EachListItem(ctx, metav1.ListOptions{LabelSelector: "page=yes"}, func(object runtime.Object) error {
		seen[object.(*corev1.ConfigMap).Data["number"]] = true
		return nil
	})
	if err == nil && len(seen) != 25 {
		err = fmt.Errorf("%d of 25", len(seen))
	}
	return err
}

func (c *client) onlyMetadata(ctx context.Context) error {
	resource := schema.GroupVersionResource{Version: "v1", Resource: "configmaps"}
	list, err := c.metadata.Resource(resource).Namespace(c.namespace).List(ctx, metav1.ListOptions{LabelSelector: "page", Limit: 10})
	if err != nil {
		return err
	}
	if len(list.Items) != 10 || list.Continue == "" || list.Items[0].Labels["page"] != "yes" || list.Items[0].Kind != "PartialObjectMetadata" {
		return fmt.Errorf("%d items, continue %q: %v", len(list.Items), list.Continue, list.Items)
	}
	patch := []byte(`{"metadata":{"annotations":{"a":"b"}}}`)
	name := list.Items[0].Name
	done, err := c.metadata.Resource(resource).Namespace(c.namespace).Patch(ctx, name, types.MergePatchType, patch, metav1.PatchOptions{})
	if err == nil && done.Annotations["a"] != "b" {
		err = fmt.Errorf("%v", done)
	}
	return err
}

func (c *client) elect(ctx context.Context) error {
	lock, err := resourcelock.New(
		resourcelock.LeasesResourceLock, c.namespace, "leader", c.typed.CoreV1(), c.typed.CoordinationV1(),
		resourcelock.ResourceLockConfig{Identity: "me"},
	)
	if err != nil {
		return err
	}
	led := make(chan struct{})
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	leaderelection.RunOrDie(ctx, leaderelection.LeaderElectionConfig{
		Lock: lock, LeaseDuration: 3 * time.Second, RenewDeadline: 2 * time.Second, RetryPeriod: 200 * time.Millisecond,
		ReleaseOnCancel: true,
		Callbacks: leaderelection.LeaderCallbacks{
			OnStartedLeading: func(ctx context.Context) {
				close(led)
				// Between two renewals: one that is broken off may still be written, and then the lease cannot be given back.
				time.Sleep(100 * time.Millisecond)
				cancel()
			},
			OnStoppedLeading: func() {},
		},
	})
	select {
	case <-led:
	default:
		return fmt.Errorf("never led")
	}
	ctx, cancel = within()
	defer cancel()
	lease, err := c.typed.CoordinationV1().Leases(c.namespace).Get(ctx, "leader", metav1.GetOptions{})
	if err == nil && *lease.Spec.HolderIdentity != "" {
		err = fmt.Errorf("not given back: %v", lease.Spec)
	}
	return err
}

func (c *client) until(ctx context.Context) error {
	only := fields.OneTermEqualSelector("metadata.name", "awaited").String()
	pods := c.typed.CoreV1().ConfigMaps(c.namespace)
	look := cache.ToListWatcherWithWatchListSemantics(&cache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, options metav1.ListOptions) (runtime.Object, error) {
			options.FieldSelector = only
			return pods.List(ctx, options)
		},
		WatchFuncWithContext: func(ctx context.Context, options metav1.ListOptions) (watch.Interface, error) {
			options.FieldSelector = only
			return pods.Watch(ctx, options)
		},
	}, c.typed)
	go func() {
		object := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "awaited"}}
		_, _ = pods.Create(ctx, object, metav1.CreateOptions{})
		_, _ = pods.Patch(ctx, "awaited", types.MergePatchType, []byte(`{"data":{"a":"1"}}`), metav1.PatchOptions{})
	}()
	_, err := watchtools.UntilWithSync(ctx, look, &corev1.ConfigMap{}, nil, func(event watch.Event) (bool, error) {
		return event.Object.(*corev1.ConfigMap).Data["a"] == "1", nil
	})
	return err
}

// errors are told apart by the library's own predicates.
func (c *client) errors(ctx context.Context) error {
	maps := c.typed.CoreV1().ConfigMaps(c.namespace)
	_, missing := maps.Get(ctx, "nothing", metav1.GetOptions{})
	_, there := maps.Create(ctx, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "contended"}}, metav1.CreateOptions{})
	_, invalid := maps.Create(ctx, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "No Name"}}, metav1.CreateOptions{})
	_, old := maps.List(ctx, metav1.ListOptions{Continue: "bm9uc2Vuc2U"})
	nobody := rest.AnonymousClientConfig(c.config)
	_, forbidden := kubernetes.NewForConfigOrDie(nobody).CoreV1().ConfigMaps(c.namespace).List(ctx, metav1.ListOptions{})
	nobody.BearerToken = "nonsense"
	_, unauthorized := kubernetes.NewForConfigOrDie(nobody).CoreV1().ConfigMaps(c.namespace).List(ctx, metav1.ListOptions{})
	early := apierrors.IsNotFound(missing) && apierrors.IsAlreadyExists(there) && apierrors.IsInvalid(invalid)
	if !early || !apierrors.IsBadRequest(old) || !apierrors.IsForbidden(forbidden) || !apierrors.IsUnauthorized(unauthorized) {
		return fmt.Errorf("%v; %v; %v; %v; %v; %v", missing, there, invalid, old, forbidden, unauthorized)
	}
	return nil
}
