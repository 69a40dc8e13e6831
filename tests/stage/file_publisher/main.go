// Publishes files to a LiveKit room by LiveKit's Go SDK: what libwebrtc cannot encode (H.265), or
// sound in two channels. A file is sent once, from its beginning, as if it were captured now:
// pictures of H.265 (.h265, Annex B), sound as Opus (.ogg).
//
// The token comes in LIVEKIT_TOKEN. Lines on stdout: `published` when all tracks are, `finished`
// when all files have been sent. SIGTERM, or the end of the files, leaves the room in good order.
package main

import (
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/livekit/protocol/livekit"
	lksdk "github.com/livekit/server-sdk-go/v2"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

func run() error {
	url := flag.String("url", "", "where the server listens")
	fps := flag.Int("fps", 30, "pictures a second")
	flag.Parse()
	files := flag.Args()

	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM, syscall.SIGINT)
	gone := make(chan struct{}, 1)
	callback := &lksdk.RoomCallback{OnDisconnected: func() { gone <- struct{}{} }}
	token := os.Getenv("LIVEKIT_TOKEN")
	room, err := lksdk.ConnectToRoomWithToken(*url, token, callback, lksdk.WithAutoSubscribe(false))
	if err != nil {
		return err
	}
	defer room.Disconnect()

	sent := make(chan string, len(files))
	for _, file := range files {
		options := []lksdk.ReaderSampleProviderOption{
			lksdk.ReaderTrackWithOnWriteComplete(func() { sent <- file }),
		}
		published := lksdk.TrackPublicationOptions{Source: livekit.TrackSource_MICROPHONE, Stereo: true}
		if filepath.Ext(file) == ".h265" {
			duration := time.Second / time.Duration(*fps)
			options = append(options, lksdk.ReaderTrackWithFrameDuration(duration))
			published = lksdk.TrackPublicationOptions{Source: livekit.TrackSource_CAMERA}
		}
		track, err := lksdk.NewLocalFileTrack(file, options...)
		if err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		if _, err := room.LocalParticipant.PublishTrack(track, &published); err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
	}
	fmt.Println("published")
	for range files {
		select {
		case <-sent:
		case <-stop:
			return nil
		case <-gone:
			return nil
		}
	}
	fmt.Println("finished")
	return nil
}
