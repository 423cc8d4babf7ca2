// Package yamltree reads YAML that a person wrote into a plain tree, in which
// every key and value knows its line and column, and collects every fault
// instead of stopping at the first. The configuration and the model files are
// decoded from it, so their errors look alike.
//
// It keeps the order of keys, resolves anchors, aliases and merge keys, and
// refuses duplicate keys, several documents, foreign tags and input that
// expands without bound. The API is internal to Tidemark and may change.
package yamltree
