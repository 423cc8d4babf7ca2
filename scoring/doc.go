// Package scoring is Tidemark's model: values in, values out.
//
// A Spec is what a person wrote; Compile checks it and makes an immutable Model.
// An Account is a small value of decayed sums. Model.Apply takes an account, an
// event and the low watermark, and reports the crossings that happened;
// Model.Advance does what time alone does; Model.NextCrossing solves when that
// will be; Model.Receipt is the arithmetic behind a score.
//
// The package promises that the same account and the same inputs give the same
// result: it reads no clock, starts no goroutine and adds in the model's declared
// order. Where an account is kept, who calls and when is left to pkg/engine.
//
// All instants are Unix milliseconds, all durations milliseconds. The API is
// internal to Tidemark and may change; the layout of a packed state may not,
// other than by a new layout version.
package scoring
