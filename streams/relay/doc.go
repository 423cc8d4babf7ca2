// Package relay publishes what the shards' outboxes hold, in order, and trims
// them.
//
// It promises that an entry is trimmed only after both topics have acknowledged
// it, that entries of one account are published in the order of their outbox, and
// that a shard that cannot be published does not hold up the others for longer
// than one attempt. A crash between acknowledgement and trimming, or a shard that
// changes hands, repeats entries with the same bytes. It does not decide who owns
// a shard, and never makes or changes an entry.
package relay
