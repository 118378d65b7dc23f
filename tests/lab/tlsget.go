// A TLS client with a library of its own: one request for each connection, at a rate, each outcome a JSON line as
// client.py writes them. A target is ip:port/name.
package main

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"time"
)

var versions = map[string]uint16{"1.2": tls.VersionTLS12, "1.3": tls.VersionTLS13}

func ask(address, name, authorities string, version uint16) string {
	pem, err := os.ReadFile(authorities)
	if err != nil {
		return err.Error()
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	raw, err := net.DialTimeout("tcp", address, 4*time.Second)
	if err != nil {
		return "connect"
	}
	defer raw.Close()
	raw.SetDeadline(time.Now().Add(4 * time.Second))
	secure := tls.Client(raw, &tls.Config{ServerName: name, RootCAs: roots, MinVersion: version, MaxVersion: version})
	if err := secure.Handshake(); err != nil {
		return "tls " + strings.Map(func(r rune) rune {
			if r == '"' || r == '\\' {
				return '\''
			}
			return r
		}, err.Error())
	}
	fmt.Fprintf(secure, "GET / HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", name)
	if _, err := io.ReadAll(secure); err != nil {
		return "closed"
	}
	secure.Close()
	return "ok"
}

func main() {
	authorities := flag.String("ca", "", "file of trusted certificates")
	rate := flag.Float64("rate", 2, "connections per second")
	version := flag.String("version", "1.3", "of TLS, no other is offered")
	flag.Parse()
	out := bufio.NewWriter(os.Stdout)
	for i := 0; ; i++ {
		address, name, _ := strings.Cut(flag.Arg(i%flag.NArg()), "/")
		began := time.Now()
		result := ask(address, name, *authorities, versions[*version])
		fmt.Fprintf(out, "{\"t\": %.4f, \"ms\": %.2f, \"to\": \"%s\", \"what\": \"request\", \"result\": \"%s\"}\n",
			float64(began.UnixNano())/1e9, float64(time.Since(began).Microseconds())/1000, address, result)
		out.Flush()
		time.Sleep(time.Duration(float64(time.Second) / *rate))
	}
}
