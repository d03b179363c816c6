package main

import (
	"os"
	"path/filepath"
	"syscall"
	"time"
)

const (
	homePattern = "hvsdk-vcsim-*"
	homeIsNew   = time.Minute // younger ones may not be locked yet
)

// home is a directory that all temporary files of the server are in. It is locked as long as the server lives, so that
// the next one can tell what is left of servers that were killed.
type home struct{ lock *os.File }

// openHome makes the directory the one for temporary files, and removes what others have left.
func openHome() (*home, error) {
	removeLeft(os.TempDir())
	folder, err := os.MkdirTemp("", homePattern)
	if err != nil {
		return nil, err
	}
	lock, err := lockHome(folder)
	if err == nil {
		err = os.Setenv("TMPDIR", folder)
	}
	if err != nil {
		_ = os.RemoveAll(folder)
		return nil, err
	}
	return &home{lock}, nil
}

func lockHome(folder string) (*os.File, error) {
	opened, err := os.Open(folder)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(opened.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = opened.Close()
		return nil, err
	}
	return opened, nil
}

func removeLeft(folder string) {
	found, _ := filepath.Glob(filepath.Join(folder, homePattern))
	for _, one := range found {
		info, err := os.Stat(one)
		if err != nil || time.Since(info.ModTime()) < homeIsNew {
			continue
		}
		if lock, err := lockHome(one); err == nil {
			_ = os.RemoveAll(one)
			_ = lock.Close()
		}
	}
}

// close removes the directory. What still runs may write to it meanwhile.
func (h *home) close() {
	for range 20 {
		if os.RemoveAll(h.lock.Name()) == nil {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	_ = h.lock.Close()
}
