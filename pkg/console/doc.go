// Package console shows tier changes to a person who watches: one line for each,
// with arrow, account, score and the cause in words.
//
// On a terminal the lines are coloured and scroll above a status line that stays at
// the bottom. Elsewhere they are plain text, each complete in itself, with a status
// line now and then, so that output can be piped and read later.
package console
