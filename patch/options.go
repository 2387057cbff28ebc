package patch

// Content is a file that the user wants on the node.
type Content struct {
	Origin string // where it comes from, for people: "preset baseline", "policy.yaml"
	Detail string // more for people: "14 rules"
	Data   []byte
}

// Options is what the user asks for.
type Options struct {
	// Flags are kube-apiserver's audit flags by name, without dashes in front.
	// An empty value takes the flag out.
	Flags map[string]string
	// Policy replaces the policy. With nil the one that is there is kept.
	Policy *Content
	// Webhook replaces the webhook's kubeconfig. With nil it is kept.
	Webhook *Content
	// LogGroup is the group that may read the log; nil leaves it to the API
	// server, which makes the file 0600.
	LogGroup *int
	// LogFileMode is the mode of the log file, 0 for the API server's own 0600.
	LogFileMode uint32
}
