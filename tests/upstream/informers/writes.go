package main

import (
	"context"
	"fmt"
	"time"

	authv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/applyconfigurations/apps/v1"
	coreapply "k8s.io/client-go/applyconfigurations/core/v1"
	metaapply "k8s.io/client-go/applyconfigurations/meta/v1"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/scheme"
	typedcore "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/restmapper"
	"k8s.io/client-go/scale"
	"k8s.io/client-go/tools/record"
	"k8s.io/client-go/util/retry"
)

func (c *client) apply(ctx context.Context) error {
	labels := map[string]string{"app": "applied"}
	container := coreapply.Container().WithName("app").WithImage("app:1").WithEnv(coreapply.EnvVar().WithName("A").WithValue("1"))
	template := coreapply.PodTemplateSpec().WithLabels(labels).WithSpec(coreapply.PodSpec().WithContainers(container))
	spec := v1.DeploymentSpec().WithReplicas(0).WithTemplate(template)
	spec.WithSelector(metaapply.LabelSelector().WithMatchLabels(labels))
	wanted := v1.Deployment("applied", c.namespace).WithSpec(spec)
	deployments := c.typed.AppsV1().Deployments(c.namespace)
	first, err := deployments.Apply(ctx, wanted, metav1.ApplyOptions{FieldManager: "one"})
	if err != nil {
		return err
	}
	extracted, err := v1.ExtractDeployment(first, "one")
	if err != nil {
		return err
	}
	if *extracted.Spec.Replicas != 0 || *extracted.Spec.Template.Spec.Containers[0].Image != "app:1" {
		return fmt.Errorf("extracted %v", extracted)
	}
	extracted.Spec.WithReplicas(1)
	_, err = deployments.Apply(ctx, extracted, metav1.ApplyOptions{FieldManager: "two"})
	if !apierrors.IsConflict(err) {
		return fmt.Errorf("no conflict: %w", err)
	}
	if causes := err.(apierrors.APIStatus).Status().Details.Causes; len(causes) != 1 || causes[0].Field != ".spec.replicas" {
		return fmt.Errorf("causes %v", causes)
	}
	forced, err := deployments.Apply(ctx, extracted, metav1.ApplyOptions{FieldManager: "two", Force: true})
	if err == nil && *forced.Spec.Replicas != 1 {
		err = fmt.Errorf("%d replicas", *forced.Spec.Replicas)
	}
	if err != nil {
		return err
	}
	scaled := v1.Deployment("applied", c.namespace).WithStatus(v1.DeploymentStatus().WithCollisionCount(3))
	after, err := deployments.ApplyStatus(ctx, scaled, metav1.ApplyOptions{FieldManager: "three", Force: true})
	if err == nil && *after.Status.CollisionCount != 3 {
		err = fmt.Errorf("status %v", after.Status)
	}
	return err
}

func (c *client) applyCustom(ctx context.Context) error {
	object := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": ships.GroupVersion().String(), "kind": "Ship",
		"metadata": map[string]any{"name": "applied"}, "spec": map[string]any{"masts": int64(3)},
	}}
	done, err := c.dynamic.Resource(ships).Namespace(c.namespace).Apply(ctx, "applied", object, metav1.ApplyOptions{FieldManager: "one"})
	if err != nil {
		return err
	}
	if masts, _, _ := unstructured.NestedInt64(done.Object, "spec", "masts"); masts != 3 {
		return fmt.Errorf("%v", done.Object)
	}
	return nil
}

func (c *client) conflicts(ctx context.Context) error {
	maps := c.typed.CoreV1().ConfigMaps(c.namespace)
	stale, err := maps.Create(ctx, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "contended"}}, metav1.CreateOptions{})
	if err != nil {
		return err
	}
	fresh := stale.DeepCopy()
	fresh.Data = map[string]string{"a": "1"}
	if _, err := maps.Update(ctx, fresh, metav1.UpdateOptions{}); err != nil {
		return err
	}
	tries := 0
	return retry.RetryOnConflict(retry.DefaultRetry, func() error {
		if tries++; tries > 1 {
			if stale, err = maps.Get(ctx, "contended", metav1.GetOptions{}); err != nil {
				return err
			}
		}
		stale.Immutable = new(bool)
		_, err := maps.Update(ctx, stale, metav1.UpdateOptions{})
		if tries == 1 && !apierrors.IsConflict(err) {
			return fmt.Errorf("no conflict: %w", err)
		}
		return err
	})
}

func (c *client) patches(ctx context.Context) error {
	deployments := c.typed.AppsV1().Deployments(c.namespace)
	for kind, patch := range map[types.PatchType]string{
		types.StrategicMergePatchType: `{"spec":{"template":{"spec":{"containers":[{"name":"app","image":"app:2"}]}}}}`,
		types.MergePatchType:          `{"spec":{"paused":true}}`,
		types.JSONPatchType:           `[{"op":"add","path":"/metadata/labels","value":{"a":"b"}}]`,
	} {
		if _, err := deployments.Patch(ctx, "applied", kind, []byte(patch), metav1.PatchOptions{}); err != nil {
			return fmt.Errorf("%s: %w", kind, err)
		}
	}
	after, err := deployments.Get(ctx, "applied", metav1.GetOptions{})
	if err == nil && (after.Spec.Template.Spec.Containers[0].Image != "app:2" || !after.Spec.Paused || after.Labels["a"] != "b") {
		err = fmt.Errorf("%v", after)
	}
	return err
}

func (c *client) scale(ctx context.Context) error {
	found, err := restmapper.GetAPIGroupResources(c.typed.Discovery())
	if err != nil {
		return err
	}
	kinds := scale.NewDiscoveryScaleKindResolver(c.typed.Discovery())
	scales, err := scale.NewForConfig(c.config, restmapper.NewDiscoveryRESTMapper(found), dynamic.LegacyAPIPathResolverFunc, kinds)
	if err != nil {
		return err
	}
	resource := schema.GroupResource{Group: "apps", Resource: "deployments"}
	return retry.RetryOnConflict(retry.DefaultRetry, func() error {
		now, err := scales.Scales(c.namespace).Get(ctx, resource, "applied", metav1.GetOptions{})
		if err != nil {
			return err
		}
		now.Spec.Replicas = 2
		now, err = scales.Scales(c.namespace).Update(ctx, resource, now, metav1.UpdateOptions{})
		if err == nil && (now.Spec.Replicas != 2 || now.Status.Selector != "app=applied") {
			err = fmt.Errorf("%v", now)
		}
		return err
	})
}

func (c *client) record(ctx context.Context) error {
	broadcaster := record.NewBroadcaster()
	defer broadcaster.Shutdown()
	broadcaster.StartRecordingToSink(&typedcore.EventSinkImpl{Interface: c.typed.CoreV1().Events("")})
	recorder := broadcaster.NewRecorder(scheme.Scheme, corev1.EventSource{Component: "informers"})
	object, err := c.typed.CoreV1().ConfigMaps(c.namespace).Get(ctx, "contended", metav1.GetOptions{})
	if err != nil {
		return err
	}
	for range 3 {
		recorder.Event(object, corev1.EventTypeNormal, "Tried", "told three times")
	}
	selector := fields.OneTermEqualSelector("involvedObject.name", "contended")
	for {
		list, err := c.typed.CoreV1().Events(c.namespace).List(ctx, metav1.ListOptions{FieldSelector: selector.String()})
		if err != nil {
			return err
		}
		if len(list.Items) == 1 && list.Items[0].Count == 3 {
			return nil
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func (c *client) token(ctx context.Context) error {
	seconds := int64(600)
	asked := &authv1.TokenRequest{Spec: authv1.TokenRequestSpec{ExpirationSeconds: &seconds}}
	given, err := c.typed.CoreV1().ServiceAccounts(c.namespace).CreateToken(ctx, "default", asked, metav1.CreateOptions{})
	if err != nil {
		return err
	}
	bearer := rest.AnonymousClientConfig(c.config)
	bearer.BearerToken = given.Status.Token
	self, err := kubernetes.NewForConfigOrDie(bearer).AuthenticationV1().SelfSubjectReviews().Create(ctx, &authv1.SelfSubjectReview{}, metav1.CreateOptions{})
	if err == nil && self.Status.UserInfo.Username != "system:serviceaccount:"+c.namespace+":default" {
		err = fmt.Errorf("%v", self.Status)
	}
	return err
}

func (c *client) deleteCollection(ctx context.Context) error {
	maps := c.typed.CoreV1().ConfigMaps(c.namespace)
	if err := maps.DeleteCollection(ctx, metav1.DeleteOptions{}, metav1.ListOptions{LabelSelector: "page"}); err != nil {
		return err
	}
	left, err := maps.List(ctx, metav1.ListOptions{LabelSelector: "page"})
	if err == nil && len(left.Items) > 0 {
		err = fmt.Errorf("%d are left", len(left.Items))
	}
	return err
}
