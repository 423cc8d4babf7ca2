// Package live hands the records of a log to any number of listeners, each from where it
// stands: a position across all partitions, which goes along with every record.
//
// It promises that a listener who comes back with the position of the last record it had
// gets every record behind it that the log holds, none twice, those of a partition in
// their order. All listeners together read the log's end once (a window of the latest
// records is kept); those who stand further back read it for themselves, a few at a time. A
// listener who falls out of the window is cut off (ErrSlow) and comes back when it can:
// nothing is buffered for it. While nobody listens nothing is read.
//
// The package knows neither Kafka nor HTTP. The API is internal to Tidemark and may change.
package live
