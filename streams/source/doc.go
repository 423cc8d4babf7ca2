// Package source reads the input topics: it joins the consumer group, fetches
// the assigned partitions, and hands out what they hold as one sequence, merged
// by event time.
//
// A [Source] is a member of the group. Each [Source.Join] gives a [Session], which
// lasts as long as the assignment does. The caller starts the session at the offsets
// it has stored, takes [Batch] after batch from [Session.Next], and closes the
// session once [ErrEnded] has come and what it had in hand is done.
//
// The package promises:
//   - Each partition's records come in offset order, none left out in silence. A
//     start before the log's first offset or beyond its end is an [OffsetError].
//   - Read committed: records of aborted transactions and transaction markers never
//     come out, while the offsets in [Batch.Ends] move past them.
//   - An input comes out only when no assigned partition could still hold an
//     earlier one: each has one waiting or has been read to its end. A backlog
//     therefore comes out in the same order every time, however it arrives.
//   - At the end of the log an input comes out at once.
//   - A bounded read-ahead: see Config.BufferEvents.
//
// It leaves to others where to start, what records mean ([Decode]), and to fence off
// an instance that lost its partitions without noticing: the store does that.
//
// The API is internal to Tidemark and not stable.
package source
