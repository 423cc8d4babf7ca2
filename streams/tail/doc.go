// Package tail follows a topic for those who look on: it reads every partition
// from a given point, without a consumer group, and hands out the records one by
// one for as long as it runs.
//
// It promises that each partition's records come in offset order, none twice, and
// none left out in silence: where the log no longer holds what was to be read, it
// goes on at the first record there is and says so in the log. Partitions added
// later are followed from their beginning. At most one answer of each partition
// (Config.MaxBytes) is held in memory: a slow taker slows the fetching.
//
// It is made for topics that are written without transactions: records of aborted
// ones would come out. It keeps no position: whoever must not miss anything over a restart stores the
// offsets of what was taken. The API is internal to Tidemark and may change.
package tail
