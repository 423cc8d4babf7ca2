// Package identity learns which account a user belongs to, and finds the account
// of events that name nothing but a user. It stands before the engine: what it
// learns of a round is stored before anything of the round is applied, so a crash
// may learn twice and never loses what was learned.
//
// It keeps records in a Store, each under a fingerprint: of a user's id, of an
// anonymous id, of an e-mail address (who belongs to what), and of an account (when
// it was erased). A record holds claims. Of two claims the one of the later event
// has it; of equal times the later in order.
//
// Every claim carries the place in the log that it came from. What an instance reads
// again after a crash was read once when the claims behind it were not there yet, so
// those stay out of sight until their own event comes by: an event finds the same
// account however often it is read, and counts once. For that a record keeps, beside
// the claim that has it, all those that might be read again.
//
// The rules of who wins are in find.go, the form of a record in record.go. The API
// is internal and may change; the form of a record is stored.
package identity
