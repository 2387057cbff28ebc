// Command sleeper does nothing, whatever its arguments are: it stands for a program that only
// looks like kube-apiserver.
package main

import "time"

func main() { time.Sleep(24 * time.Hour) }
