// Package modelfile turns a model file into a scoring.Spec, and the expressions
// in it into functions.
//
// Parse is strict: it collects every unknown key, duplicate, wrong type and bad
// duration, each with its line, column and path. What a model means (groups
// that exist, tiers in order) is checked by scoring.Compile; File.Faults gives
// its complaints their lines.
//
// It is also the one home of the expression language (expr-lang). Conditions
// compiles an expression to a function that answers true, false or unknown, the
// last whenever it fails, gives no boolean, or on its way reads something that
// is missing or null. The functions are deterministic, bounded in time and
// memory, and safe for concurrent use.
//
// The API is internal to Tidemark and may change.
package modelfile
