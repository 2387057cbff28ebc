package simnode

import "time"

// Speed is how many times faster a node lives than a real one.
const Speed = 5

// paced is a time of Kubernetes at that speed.
func paced(d time.Duration) time.Duration { return d / Speed }

// NodeIP is the address of every node: each has a network of its own.
const NodeIP = "192.0.2.10"
