// Informers of the real client-go, which say in JSON lines what they see, and the client's other faces tried one by one.
//
//	informers watch KUBECONFIG CONTENT-TYPE    until the end of stdin; each line of stdin is answered with the stores
//	informers calls KUBECONFIG NAMESPACE POD   one line a call
//
// CONTENT-TYPE is "" for the library's own choice. Features are set by KUBE_FEATURE_…=true in the environment.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/dynamic/dynamicinformer"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/metadata/metadatainformer"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/clientcmd"
)

var output sync.Mutex

// say writes one line; informers' goroutines take turns.
func say(line map[string]any) {
	output.Lock()
	defer output.Unlock()
	if err := json.NewEncoder(os.Stdout).Encode(line); err != nil {
		os.Exit(1)
	}
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

func main() {
	if len(os.Args) < 4 {
		fail(fmt.Errorf("usage: informers watch|calls KUBECONFIG …"))
	}
	config, err := clientcmd.BuildConfigFromFlags("", os.Args[2])
	if err != nil {
		fail(err)
	}
	config.QPS, config.Burst = 1000, 1000
	switch os.Args[1] {
	case "watch":
		config.ContentType = os.Args[3]
		observe(config)
	case "calls":
		calls(config, os.Args[3], os.Args[4])
	}
}

var ships = schema.GroupVersionResource{Group: "upstream.example.com", Version: "v1", Resource: "ships"}

// watched are the kinds that the typed informers look at, the dynamic ones, and those of which metadata is enough.
var (
	typed = []schema.GroupVersionResource{
		{Version: "v1", Resource: "pods"},
		{Version: "v1", Resource: "configmaps"},
		{Version: "v1", Resource: "secrets"},
		{Version: "v1", Resource: "services"},
		{Version: "v1", Resource: "namespaces"},
		{Version: "v1", Resource: "nodes"},
		{Group: "apps", Version: "v1", Resource: "deployments"},
		{Group: "apps", Version: "v1", Resource: "replicasets"},
		{Group: "apps", Version: "v1", Resource: "statefulsets"},
		{Group: "apps", Version: "v1", Resource: "daemonsets"},
		{Group: "batch", Version: "v1", Resource: "jobs"},
		{Group: "discovery.k8s.io", Version: "v1", Resource: "endpointslices"},
		{Group: "policy", Version: "v1", Resource: "poddisruptionbudgets"},
		{Group: "storage.k8s.io", Version: "v1", Resource: "storageclasses"},
		{Group: "rbac.authorization.k8s.io", Version: "v1", Resource: "clusterroles"},
	}
	untyped      = []schema.GroupVersionResource{ships}
	onlyMetadata = []schema.GroupVersionResource{{Version: "v1", Resource: "configmaps"}, ships}
)

func observe(config *rest.Config) {
	stop := make(chan struct{})
	stores := map[string]cache.SharedIndexInformer{}

	factory := informers.NewSharedInformerFactory(kubernetes.NewForConfigOrDie(config), 0)
	for _, resource := range typed {
		informer, err := factory.ForResource(resource)
		if err != nil {
			fail(err)
		}
		stores[resource.Resource] = informer.Informer()
	}
	dynamics := dynamicinformer.NewDynamicSharedInformerFactory(dynamic.NewForConfigOrDie(config), 0)
	for _, resource := range untyped {
		stores[resource.Resource] = dynamics.ForResource(resource).Informer()
	}
	metadatas := metadatainformer.NewSharedInformerFactory(metadata.NewForConfigOrDie(config), 0)
	for _, resource := range onlyMetadata {
		stores["metadata/"+resource.Resource] = metadatas.ForResource(resource).Informer()
	}
	for name, informer := range stores {
		listen(name, informer)
	}
	factory.Start(stop)
	dynamics.Start(stop)
	metadatas.Start(stop)
	for _, informer := range stores {
		cache.WaitForCacheSync(stop, informer.HasSynced)
	}
	say(map[string]any{"what": "synced"})
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		say(map[string]any{"what": "stores", "asked": lines.Text(), "stores": contents(stores)})
	}
	close(stop)
}

// listen tells each event of an informer, and what its watch ends with.
func listen(name string, informer cache.SharedIndexInformer) {
	tell := func(event string, object any) {
		key, _ := cache.DeletionHandlingMetaNamespaceKeyFunc(object)
		say(map[string]any{"what": event, "resource": name, "key": key, "version": version(object)})
	}
	_, err := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc: func(object any) { tell("add", object) },
		UpdateFunc: func(before, after any) {
			if version(before) == version(after) {
				tell("resync", after)
			} else {
				tell("update", after)
			}
		},
		DeleteFunc: func(object any) {
			if unknown, ok := object.(cache.DeletedFinalStateUnknown); ok {
				tell("vanished", unknown.Obj)
			} else {
				tell("delete", object)
			}
		},
	})
	if err != nil {
		fail(err)
	}
	err = informer.SetWatchErrorHandlerWithContext(func(ctx context.Context, reflector *cache.Reflector, err error) {
		say(map[string]any{"what": "watch-error", "resource": name, "error": err.Error()})
		cache.DefaultWatchErrorHandler(ctx, reflector, err)
	})
	if err != nil {
		fail(err)
	}
}

// version is the resourceVersion, after a check that a typed object was decoded whole: one has a UID.
func version(object any) string {
	found, err := meta.Accessor(object)
	if err != nil || found.GetUID() == "" {
		return "?"
	}
	return found.GetResourceVersion()
}

func contents(stores map[string]cache.SharedIndexInformer) map[string]map[string]string {
	all := map[string]map[string]string{}
	for name, informer := range stores {
		all[name] = map[string]string{}
		for _, object := range informer.GetStore().List() {
			key, _ := cache.MetaNamespaceKeyFunc(object)
			all[name][key] = version(object)
		}
	}
	return all
}

// within bounds every call.
func within() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), 20*time.Second)
}
