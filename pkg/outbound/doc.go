// Package outbound sends what Tidemark has to say to HTTP endpoints of others: signed
// by the Standard Webhooks specification, with a body by template, and never into a network
// that the endpoint's address should not lead to.
//
// Send makes one attempt and says what came of it; when to try again is the caller's.
// An attempt is bounded in time, follows no redirect, and reads a bounded part of the answer.
// Errors hold neither the path of an address, which may be a secret, nor secrets. The API is internal to Tidemark and may change.
package outbound
