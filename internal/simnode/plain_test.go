//go:build linux

package simnode

// plainScenarios are changes on a node where nothing is wrong.
var plainScenarios = []scenario{
	{
		name: "enable", proves: "one restart, and it is on",
		play: func(n *node) {
			n.wantExit(n.run("enable"), 0)
			n.wantRestarts(1)
			n.wantPods(2)
			n.wantOn()
		},
	},
}
