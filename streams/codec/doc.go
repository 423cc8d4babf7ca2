// Package codec turns Kafka records into events.
//
// It promises that whatever it returns obeys section 1 of the specification,
// that the same bytes always give the same event, and that it never panics on
// input. What cannot be used comes back as a [Bad] with one of a closed set of
// reasons and a message for people that holds no personal data. JSON is read as
// strictly as encoding/json does, with the same values: the last of duplicate
// keys wins and lone surrogates become U+FFFD.
//
// It leaves to others where records come from (streams/source) and where bad
// ones go (streams/sink). The API is internal to Tidemark and may change.
package codec
