// Package inspect says how a node is: what is configured, what runs, and whether
// they fit together. It changes nothing.
//
// [Status] and [Doctor] look at the same facts, which gather collects, and print what
// the same checks find in them: Status what is not as it should be, Doctor a verdict
// of each check. [LastFailure] tells of the newest change that was put back.
package inspect
