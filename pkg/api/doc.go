// Package api is the HTTP API under /api/v1: JSON out, RFC 9457 problems where
// something is wrong. It decides nothing: handlers call what does.
//
// Whoever uses it shows one token, where one is configured (Access); the server belongs on
// an inner network. The paths and bodies are for users and stay as they are within v1,
// but for additions; the Go API is internal.
package api
