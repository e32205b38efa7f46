// Does one thing that a smoke run should see, allow or stop: the first argument says which.
package main

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

func main() {
	arguments := os.Args[1:]
	if filepath.Base(os.Args[0]) == "wget" {
		end(fetch(arguments[len(arguments)-1]))
	}
	if len(arguments) == 0 {
		arguments = []string{"serve"}
	}
	switch arguments[0] {
	case "say":
		fmt.Println(strings.Join(arguments[1:], "\n"))
	case "fail":
		fmt.Fprintln(os.Stderr, strings.Join(arguments[1:], "\n"))
		os.Exit(3)
	case "hog":
		hog()
	case "dial":
		end(dial(arguments[1]))
	case "write":
		end(os.WriteFile(arguments[1], []byte("written"), 0o600))
	case "fork":
		end(fork())
	case "who":
		end(who())
	case "get":
		end(fetch(arguments[1]))
	case "sleep":
		fmt.Println("sleeping")
		time.Sleep(time.Hour)
	case "serve":
		serve()
	default:
		end(fmt.Errorf("unknown: %q", arguments))
	}
}

func end(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

func hog() {
	var kept [][]byte
	for {
		block := make([]byte, 1<<20)
		for at := 0; at < len(block); at += 4096 {
			block[at] = 1
		}
		kept = append(kept, block)
		fmt.Printf("%d MiB\n", len(kept))
	}
}

func dial(address string) error {
	connection, err := net.DialTimeout("tcp", address, time.Second)
	if err == nil {
		connection.Close()
	}
	return err
}

func fork() error {
	for {
		if err := exec.Command(os.Args[0], "sleep").Start(); err != nil {
			return err
		}
	}
}

// who tells user, capabilities and whether more can be gained, as the kernel sees them.
func who() error {
	status, err := os.ReadFile("/proc/self/status")
	for _, line := range strings.Split(string(status), "\n") {
		for _, name := range []string{"Uid:", "CapEff:", "CapBnd:", "NoNewPrivs:", "Seccomp:"} {
			if strings.HasPrefix(line, name) {
				fmt.Println(strings.Join(strings.Fields(line), " "))
			}
		}
	}
	return err
}

func fetch(url string) error {
	answer, err := (&http.Client{Timeout: 2 * time.Second}).Get(url)
	if err == nil && answer.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s", answer.Status)
	}
	return err
}

func serve() {
	http.HandleFunc("GET /healthz", func(http.ResponseWriter, *http.Request) {})
	http.HandleFunc("GET /sick", func(writer http.ResponseWriter, _ *http.Request) {
		writer.WriteHeader(http.StatusServiceUnavailable)
	})
	// healthy while nobody there takes or refuses a connection: the packets are dropped on their way
	http.HandleFunc("GET /dial", func(writer http.ResponseWriter, request *http.Request) {
		if err := dial(request.URL.Query().Get("to")); !os.IsTimeout(err) {
			writer.WriteHeader(http.StatusBadGateway)
		}
	})
	end(http.ListenAndServe(":8080", nil))
}
