// Package simulate says what an audit policy would have written of recorded events, how
// far back a log then reaches, and which rules would make it smaller.
//
// Run is the name to call first: it replays logs under a policy and returns a [Report].
// [Plan] makes rotation settings of a rate and a disk or a number of days, and [Trim]
// proposes rules of level None.
//
// What a policy does with a request is the answer of package explain. This package adds
// how many bytes an event has at another level. Lower levels are exact: the event without
// its bodies. Higher ones are estimates, from events of the same kind that have bodies, or
// from a rough figure.
package simulate
