// Package memory is engine.Store in memory, with the same extras as the store in
// Redis: for unit tests of what stands on a store. It keeps the contract to the
// letter (store/storetest runs on it) and nothing beyond the process.
//
// New makes a namespace and its first Store; Peer makes another Store on the
// same namespace, as a second process would have it.
package memory
