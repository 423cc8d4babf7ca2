package faults

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"
)

// Mode is what a Proxy does to connections.
type Mode uint8

// The modes.
const (
	// Pass forwards.
	Pass Mode = iota
	// Slow forwards each piece after a delay, in both directions.
	Slow
	// BlackHole holds everything back, in both directions, and delivers it when the
	// mode ends: late, to whoever is still there.
	BlackHole
	// Refuse ends every connection at once.
	Refuse
	// LoseAnswers forwards requests; instead of an answer the connection is reset.
	LoseAnswers
	// LoseRequests resets the connection of each Kafka request of one kind, by turns
	// before and after the broker has it.
	LoseRequests
)

// Proxy forwards TCP connections to one address and harms them as it is told. Its
// methods may be called from any goroutine.
type Proxy struct {
	listener net.Listener
	upstream string
	done     chan struct{}
	working  sync.WaitGroup

	mu      sync.Mutex // guards what follows; nothing blocks while it is held
	mode    Mode
	delay   time.Duration
	every   int // LoseAnswers: of so many answers one is lost
	answers int
	lost    int
	kind    int16         // LoseRequests: the key of the request in Kafka's protocol
	changed chan struct{} // closed when the mode changes
	links   map[*link]bool
}

// link is one connection through the proxy.
type link struct {
	client, server *net.TCPConn
	doomed         bool // ends with the next answer; guarded by the proxy's mu
}

// NewProxy listens on a loopback port (0: any) and forwards to the address.
func NewProxy(port int, upstream string) (*Proxy, error) {
	listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		return nil, fmt.Errorf("proxy to %s: %w", upstream, err)
	}
	p := &Proxy{listener: listener, upstream: upstream, done: make(chan struct{}), changed: make(chan struct{}), links: map[*link]bool{}}
	p.working.Go(p.accept)
	return p, nil
}

// Addr is where clients connect.
func (p *Proxy) Addr() string { return p.listener.Addr().String() }

// Heal forwards again.
func (p *Proxy) Heal() { p.set(Pass, 0, 0) }

// Slow delays every piece.
func (p *Proxy) Slow(delay time.Duration) { p.set(Slow, delay, 0) }

// BlackHole holds everything back.
func (p *Proxy) BlackHole() { p.set(BlackHole, 0, 0) }

// Refuse resets all connections, and every new one.
func (p *Proxy) Refuse() { p.set(Refuse, 0, 0); p.Reset() }

// LoseAnswers loses one of so many answers, with its connection.
func (p *Proxy) LoseAnswers(every int) { p.set(LoseAnswers, 0, every) }

// LoseRequests loses the Kafka requests of one kind, with their connections.
func (p *Proxy) LoseRequests(kind int16) {
	p.mu.Lock()
	p.kind = kind
	p.mu.Unlock()
	p.set(LoseRequests, 0, 0)
}

// Lost is how many answers and requests were lost so far.
func (p *Proxy) Lost() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.lost
}

// Reset resets the connections there are.
func (p *Proxy) Reset() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for l := range p.links {
		l.reset()
	}
}

// Close ends the proxy and its connections.
func (p *Proxy) Close() error {
	close(p.done)
	err := p.listener.Close()
	p.set(Refuse, 0, 0)
	p.Reset()
	p.working.Wait()
	return err
}

func (p *Proxy) set(mode Mode, delay time.Duration, every int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mode, p.delay, p.every, p.answers = mode, delay, every, 0
	close(p.changed)
	p.changed = make(chan struct{})
}

func (p *Proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err == nil {
			p.working.Go(func() { p.serve(client.(*net.TCPConn)) })
		}
	}
}

func (p *Proxy) serve(client *net.TCPConn) {
	var dialer net.Dialer
	server, err := dialer.DialContext(context.Background(), "tcp", p.upstream)
	if err != nil {
		_ = client.SetLinger(0)
		_ = client.Close()
		return
	}
	l := &link{client: client, server: server.(*net.TCPConn)}
	p.mu.Lock()
	p.links[l] = true
	refused := p.mode == Refuse
	p.mu.Unlock()
	if refused {
		l.reset()
	}
	var pumping sync.WaitGroup
	pumping.Go(func() { p.pump(l, l.client, l.server, false) })
	pumping.Go(func() { p.pump(l, l.server, l.client, true) })
	pumping.Wait()
	p.mu.Lock()
	delete(p.links, l)
	p.mu.Unlock()
	_ = l.client.Close()
	_ = l.server.Close()
}

// pump forwards one direction.
func (p *Proxy) pump(l *link, from, to *net.TCPConn, answers bool) {
	buffer := make([]byte, 64<<10)
	for {
		n, err := from.Read(buffer)
		if n > 0 {
			if p.loses(l, buffer[:n], answers) || !p.admit(answers) {
				l.reset()
				return
			}
			if _, err := to.Write(buffer[:n]); err != nil {
				l.reset()
				return
			}
		}
		if errors.Is(err, io.EOF) {
			_ = to.CloseWrite()
			return
		}
		if err != nil {
			l.reset()
			return
		}
	}
}

// admit waits as the mode says and reports whether a piece may go on.
func (p *Proxy) admit(answer bool) bool {
	for {
		p.mu.Lock()
		mode, delay, changed := p.mode, p.delay, p.changed
		lose := false
		if mode == LoseAnswers && answer {
			p.answers++
			if lose = p.answers%p.every == 0; lose {
				p.lost++
			}
		}
		p.mu.Unlock()
		switch mode {
		case Refuse:
			return false
		case LoseAnswers:
			return !lose
		case Slow:
			timer := time.NewTimer(delay)
			defer timer.Stop()
			select {
			case <-timer.C:
			case <-p.done:
			}
			return true
		case BlackHole:
			<-changed // Close changes it too
		default:
			return true
		}
	}
}

// loses reports whether a piece is to be lost: of the requests that LoseRequests
// names every second one is, of the others the answer. Clients send a request in one
// piece, so its head begins one.
func (p *Proxy) loses(l *link, piece []byte, answer bool) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if answer {
		return l.doomed
	}
	if p.mode != LoseRequests || len(piece) < 6 || int16(binary.BigEndian.Uint16(piece[4:])) != p.kind {
		return false
	}
	p.lost++
	l.doomed = true
	return p.lost%2 == 0
}

// reset ends both sides with RST, so that nothing that is on its way arrives.
func (l *link) reset() {
	for _, c := range []*net.TCPConn{l.client, l.server} {
		_ = c.SetLinger(0)
		_ = c.Close()
	}
}
