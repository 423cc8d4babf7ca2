package testenv

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"time"
)

// RedisError is an error reply of a Redis server, as it was sent.
type RedisError string

// Error is the server's own words.
func (e RedisError) Error() string { return string(e) }

// respConn speaks RESP2, just enough to see that a server is up and to give it
// orders, so that this package needs no Redis client.
type respConn struct {
	conn net.Conn
	r    *bufio.Reader
}

func dialRESP(ctx context.Context, addr string, tlsConfig *tls.Config) (*respConn, error) {
	var conn net.Conn
	var err error
	if tlsConfig == nil {
		conn, err = (&net.Dialer{}).DialContext(ctx, "tcp", addr)
	} else {
		conn, err = (&tls.Dialer{Config: tlsConfig}).DialContext(ctx, "tcp", addr)
	}
	if err != nil {
		return nil, err
	}
	deadline, ok := ctx.Deadline()
	if !ok {
		deadline = time.Now().Add(10 * time.Second)
	}
	if err := conn.SetDeadline(deadline); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return &respConn{conn: conn, r: bufio.NewReader(conn)}, nil
}

func (c *respConn) close() { _ = c.conn.Close() }

// do sends one command and reads its reply: string, int64, nil or []any.
func (c *respConn) do(args ...string) (any, error) {
	buf := fmt.Appendf(nil, "*%d\r\n", len(args))
	for _, a := range args {
		buf = fmt.Appendf(buf, "$%d\r\n%s\r\n", len(a), a)
	}
	if _, err := c.conn.Write(buf); err != nil {
		return nil, err
	}
	return c.reply()
}

func (c *respConn) reply() (any, error) {
	line, err := c.r.ReadString('\n')
	if err != nil {
		return nil, err
	}
	if len(line) < 3 {
		return nil, fmt.Errorf("redis reply %q", line)
	}
	text := line[1 : len(line)-2]
	switch line[0] {
	case '+':
		return text, nil
	case '-':
		return nil, RedisError(text)
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return nil, fmt.Errorf("redis reply %q: %w", line, err)
	}
	switch line[0] {
	case ':':
		return n, nil
	case '$':
		return c.bulk(n)
	case '*':
		return c.array(n)
	}
	return nil, fmt.Errorf("redis reply %q", line)
}

func (c *respConn) bulk(n int64) (any, error) {
	if n < 0 {
		return nil, nil
	}
	b := make([]byte, n+2)
	if _, err := io.ReadFull(c.r, b); err != nil {
		return nil, err
	}
	return string(b[:n]), nil
}

// array gives an error reply inside as an element, as Redis means it.
func (c *respConn) array(n int64) (any, error) {
	if n < 0 {
		return nil, nil
	}
	out := make([]any, n)
	for i := range out {
		v, err := c.reply()
		if re, ok := errors.AsType[RedisError](err); ok {
			v = re
		} else if err != nil {
			return nil, err
		}
		out[i] = v
	}
	return out, nil
}
