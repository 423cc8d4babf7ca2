// Package config is the configuration of the whole program: its keys, their
// defaults, where they come from and what they may be.
//
// Precedence: defaults, file, environment, flags. Load applies the first three;
// a command applies its flags with Set, then calls Validate. Decoding is
// strict: an unknown key or variable is an error that suggests what was meant.
//
// Every key is also an environment variable, TIDEMARK_ and its path in
// capitals, with _ for the dots. Lists are separated by commas. An empty
// variable counts as not set.
//
// configs/tidemark.yaml explains each key; a test keeps it equal to Default.
// The keys are stable from version 1 on.
package config
