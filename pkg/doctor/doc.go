// Package doctor judges a deployment before it fails: brokers, topics, rights, Redis and
// its memory, clocks, the group, the model. Each finding says what is seen, why it matters
// and the way out.
//
// It asks nobody: Examine turns Facts, which pkg/app gathers, into findings. What could not
// be found out is a finding as well, never taken for good. The API is internal to Tidemark
// and may change; the JSON of a Finding is what `tidemark doctor --json` prints.
package doctor
