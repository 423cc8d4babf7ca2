// Package offline is the twin of `serve` over files: the same scoring, one
// account at a time, with an arrival order and a low watermark that the events'
// own times give (SPEC 6, `score`).
//
// It needs memory for the accounts and a few words for each tier change; the
// changes themselves wait in a spool file until they can be put in order of time.
package offline
