// Package follow is the subscriber's kit: it takes each tier change exactly once
// from a topic that delivers at least once.
//
// Tidemark's events carry a number: the CloudEvents id is `<key>/<seq>`, and seq
// counts 1, 2, 3 … for each key (the account, in tier-changes). A Follower skips
// what its subscriber has seen, tells of a jump (GapError), catches up from the compacted
// topic (account-tiers), which holds the latest event of each key, and goes on.
//
// The memory is the subscriber's (State): the last seq of each key and the position in
// the log. Where Take does its work and remembers both in one atomic step, as in one
// transaction of the subscriber's database, each event has its effect exactly once,
// whatever crashes. Where it does not, at least once.
//
// The package knows no Kafka client: records come in by Take, and Log reads the topics.
// streams/feed does both for Tidemark's own subscribers. The API is stable but for
// additions.
package follow
