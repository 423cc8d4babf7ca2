// Package deadletters is for the operator of the dead-letter topic: it lists what
// could not be used, shows one letter whole, and replays letters into the topics
// they came from once the cause is gone.
//
// A replay writes the original's bytes, key, headers and timestamp. It promises:
//   - Any number of replays, one after another, crashes included, write a letter once:
//     what was written is noted in the dead-letter topic itself ([Letters.Replay] says
//     how), and only after it is acknowledged. But for Options.Again, only a write
//     whose acknowledgement is lost is made twice, within seconds; the scorer knows
//     the second by the event's id.
//   - Nothing is written but to the configured input topics, and nothing that is
//     not what the producer wrote: a letter that was cut is refused.
//   - A letter that is bad again becomes a dead letter again; its attempts are
//     counted in its headers, and a bound ends the loop.
//
// It leaves to the scorer to know an event that was counted already under the same
// id: it does for the UTC day of the Kafka timestamp and the day after. The API is
// internal to Tidemark and may change.
package deadletters
