package manifest

// PodName is the name of the Pod that the kubelet would read from any file of
// its directory, good or bad; ok is false when it reads none.
func PodName(src []byte) (name, namespace string, ok bool) {
	j, err := toJSON(src)
	if err != nil {
		return "", "", false
	}
	tree, e := decodeTree(j)
	if e != nil || tree["kind"] != "Pod" || tree["apiVersion"] != "v1" {
		return "", "", false
	}
	meta, _ := tree["metadata"].(map[string]any)
	name, _ = meta["name"].(string)
	namespace, _ = meta["namespace"].(string)
	return name, namespace, name != ""
}
