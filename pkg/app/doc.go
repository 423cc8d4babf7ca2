// Package app is the one place where Tidemark is wired: configuration in, a
// running service out. It joins the Kafka edge (streams), the store and the
// engine, which do not know each other.
package app
