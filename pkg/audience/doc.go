// Package audience keeps named sets of accounts, such as "tier B in DACH, no customers", and
// tells others who enters and leaves.
//
// A definition is an expression over the account's latest tier change: its tier and the profile
// attributes that the model publishes. Each enter is matched by one exit, numbered: n counts 1, 2,
// 3 … for each account of an audience, odd where it entered and even where it left. An account
// that entered stays for the least dwell, so that advertising does not flap.
//
// Keeper is the subscriber of tier-changes by the follow kit: members, the events that tell of them and
// what an HTTP endpoint is still to be told are written in one step with the position. Sync tells
// the endpoint in batches. A daily full diff against account-tiers and against what the endpoint
// has accepted mends what should never be wrong.
//
// What is not in account-tiers, an account that never crossed, is in no audience. The API is
// internal to Tidemark and may change.
package audience
