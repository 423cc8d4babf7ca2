// Package sniff says what a sample of records looks like: in which format it can be
// read, what of it a model would count and why not the rest, and what a mapping
// could begin with where no format fits.
//
// What it says holds names of members, types and counts, and no value but types and
// domain-free facts: a sample is full of people. The API is internal to Tidemark and
// may change.
package sniff
