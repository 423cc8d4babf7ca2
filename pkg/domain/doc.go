// Package domain tells what the domain of an e-mail address says of the account
// behind it: whether it is one at which anybody can have an address, whether it is
// a company's at all, and under which parents a profile may have declared it.
//
// It is a leaf: the codec asks it when an event is decoded, the engine and the
// offline scorer when its account is looked up, so that both find the same. Names
// are given to it in lower case. The API is internal and may change.
//
// The free-mail list is that of the npm package free-email-domains (Kiko Beats and
// contributors, MIT; no Go module of it or of another kept list can be had), with
// our own additions and exceptions beside it. Public suffixes are those of
// publicsuffix.org, as the Go team keeps them in golang.org/x/net/publicsuffix.
package domain
