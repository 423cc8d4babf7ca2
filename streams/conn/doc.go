// Package conn makes connections to Kafka from settings: the transport for
// requests (metadata, produce, fetch, topics) and the dialer for consumer groups.
//
// It promises that a bad setting is an error that names it, and that a closed
// Transport leaves no goroutine behind. It sends nothing on its own account but
// what kafka-go's transport sends to follow the cluster's layout.
package conn
