// Package survey asks a cluster how things stand: where logs and a group are, how
// topics are set, who answers and what this user may do. It joins no group and
// changes nothing, so it works beside a running service and after a dead one.
//
// Answers are as of one moment and belong together only roughly. Each call asks once:
// who waits for an answer is a person, or tries again later, as streams/source does, which
// asks by a client of its own. The API is internal to Tidemark and may change.
package survey
