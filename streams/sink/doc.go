// Package sink writes to Kafka: messages with every acknowledgement (Publisher),
// dead letters (DeadLetters), and the topics themselves (Topics).
//
// It promises that Publish returns nil only when every in-sync replica has every
// message, that messages of one call stay in order within a partition whatever is
// retried, and that a key goes to the partition that the Java client would choose.
// What it cannot promise: that a message stands in the log only once. kafka-go has
// no idempotent producer, so a lost acknowledgement leads to a repeat with the same
// bytes, and rarely a repeat of an earlier message comes after a later one.
package sink
