package main

import (
	"bufio"
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
)

// The format of stream-optimised disks: VMware Virtual Disk Format 5.0, "Stream-Optimized Compressed Sparse Extents".
const (
	sectorBytes      = 512
	sectorsOfGrain   = grainBytes / sectorBytes
	entriesOfTable   = 512
	sectorsOfTable   = entriesOfTable * 4 / sectorBytes
	sectorsOverhead  = 128
	directoryAtEnd   = ^uint64(0)
	markerEnd        = 0
	markerTable      = 1
	markerDirectory  = 2
	markerFooter     = 3
	sparseMagic      = 0x564d444b
	flagsOfStream    = 1 | 1<<16 | 1<<17 // newlines are tested, grains are compressed, there are markers
	compressedByZlib = 1
)

var (
	errNotStream = errors.New("not a stream-optimised disk")
	errCapacity  = errors.New("not a disk")
)

// sparseHeader is the first sector of a disk, and the last but two.
type sparseHeader struct {
	Magic            uint32
	Version          uint32
	Flags            uint32
	Capacity         uint64
	GrainSize        uint64
	DescriptorOffset uint64
	DescriptorSize   uint64
	EntriesOfTable   uint32
	RedundantOffset  uint64
	DirectoryOffset  uint64
	OverHead         uint64
	Unclean          uint8
	Newlines         [4]byte
	Compression      uint16
	Padding          [433]byte
}

const streamDescriptor = `# Disk DescriptorFile
version=1
CID=%08x
parentCID=ffffffff
createType="streamOptimized"

# Extent description
RDONLY %d SPARSE "%s"

# The Disk Data Base
#DDB
ddb.adapterType = "lsilogic"
ddb.geometry.cylinders = "%d"
ddb.geometry.heads = "255"
ddb.geometry.sectors = "63"
ddb.virtualHWVersion = "13"
`

// streamWriter writes a disk from its beginning to its end.
type streamWriter struct {
	out     *bufio.Writer
	sector  uint64 // of what is written next
	failure error
}

func (s *streamWriter) write(data []byte) {
	if s.failure != nil {
		return
	}
	_, s.failure = s.out.Write(data)
	if rest := len(data) % sectorBytes; rest != 0 && s.failure == nil {
		_, s.failure = s.out.Write(make([]byte, sectorBytes-rest))
	}
	s.sector += uint64((len(data) + sectorBytes - 1) / sectorBytes)
}

// marker writes what tells the kind of the sectors that follow.
func (s *streamWriter) marker(kind uint32, sectors uint64) {
	data := binary.LittleEndian.AppendUint64(nil, sectors)
	data = binary.LittleEndian.AppendUint32(data, 0)
	s.write(binary.LittleEndian.AppendUint32(data, kind))
}

func (s *streamWriter) grain(sector uint64, content []byte) {
	var packed bytes.Buffer
	packer, _ := zlib.NewWriterLevel(&packed, zlib.BestSpeed)
	_, _ = packer.Write(content)
	_ = packer.Close()
	data := binary.LittleEndian.AppendUint64(nil, sector)
	data = binary.LittleEndian.AppendUint32(data, uint32(packed.Len()))
	s.write(append(data, packed.Bytes()...))
}

// writeStream writes a disk as export leases do. `over` ends it early.
func writeStream(to io.Writer, file string, capacity int64, name string, over func() error) error {
	in, err := os.Open(file)
	if err != nil {
		return err
	}
	defer in.Close()
	sectors := uint64(capacity) / sectorBytes
	stream := &streamWriter{out: bufio.NewWriterSize(to, 256*1024)}
	header := sparseHeader{
		Magic: sparseMagic, Version: 3, Flags: flagsOfStream, Capacity: sectors, GrainSize: sectorsOfGrain,
		DescriptorOffset: 1, DescriptorSize: 20, EntriesOfTable: entriesOfTable, DirectoryOffset: directoryAtEnd,
		OverHead: sectorsOverhead, Newlines: [4]byte{'\n', ' ', '\r', '\n'}, Compression: compressedByZlib,
	}
	stream.write(header.bytes())
	descriptor := make([]byte, (sectorsOverhead-1)*sectorBytes)
	copy(descriptor, fmt.Sprintf(streamDescriptor, uint32(sectors)|1, sectors, name, sectors/(255*63)))
	stream.write(descriptor)

	tables := make([]uint32, (sectors+sectorsOfGrain*entriesOfTable-1)/(sectorsOfGrain*entriesOfTable))
	table, current := make([]uint32, entriesOfTable), -1
	flush := func() {
		if current < 0 {
			return
		}
		stream.marker(markerTable, sectorsOfTable)
		tables[current] = uint32(stream.sector)
		stream.write(littleEndian(table))
		clear(table)
	}
	err = eachGrain(in, capacity, func(place int64, content []byte) error {
		number := int(place / grainBytes)
		if number/entriesOfTable != current {
			flush()
			current = number / entriesOfTable
		}
		table[number%entriesOfTable] = uint32(stream.sector)
		whole := make([]byte, grainBytes)
		copy(whole, content)
		stream.grain(uint64(place/sectorBytes), whole)
		return errors.Join(stream.failure, over())
	})
	if err != nil {
		return err
	}
	flush()
	stream.marker(markerDirectory, (uint64(len(tables))*4+sectorBytes-1)/sectorBytes)
	header.DirectoryOffset = stream.sector
	stream.write(littleEndian(tables))
	stream.marker(markerFooter, 1)
	stream.write(header.bytes())
	stream.marker(markerEnd, 0)
	return errors.Join(stream.failure, stream.out.Flush())
}

func (h *sparseHeader) bytes() []byte {
	var out bytes.Buffer
	_ = binary.Write(&out, binary.LittleEndian, h) // a buffer takes everything
	return out.Bytes()
}

func littleEndian(values []uint32) []byte {
	var data []byte
	for _, value := range values {
		data = binary.LittleEndian.AppendUint32(data, value)
	}
	return data
}

// readStream writes what a stream-optimised disk has in it where it belongs.
func readStream(from io.Reader, file string, capacity int64) error {
	out, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	defer out.Close()
	if err := out.Truncate(capacity); err != nil {
		return err
	}
	in := bufio.NewReaderSize(from, 256*1024)
	var header sparseHeader
	if err := binary.Read(in, binary.LittleEndian, &header); err != nil || header.Magic != sparseMagic {
		return errNotStream
	}
	if header.Capacity != uint64(capacity)/sectorBytes {
		return fmt.Errorf("%w of %d sectors, but one of %d", errCapacity, capacity/sectorBytes, header.Capacity)
	}
	if header.GrainSize != sectorsOfGrain || header.Compression != compressedByZlib || header.OverHead < 1 {
		return errNotStream
	}
	if _, err := in.Discard(int(header.OverHead-1) * sectorBytes); err != nil {
		return err
	}
	for {
		goesOn, err := readMarker(in, out, capacity)
		if err != nil || !goesOn {
			return err
		}
	}
}

// readMarker reads a grain, or skips what else there is; it tells whether more follows.
func readMarker(in *bufio.Reader, out *os.File, capacity int64) (bool, error) {
	sector := make([]byte, sectorBytes)
	if _, err := io.ReadFull(in, sector); err != nil {
		return false, err
	}
	value, size := binary.LittleEndian.Uint64(sector), int(binary.LittleEndian.Uint32(sector[8:]))
	if size == 0 {
		if binary.LittleEndian.Uint32(sector[12:]) == markerEnd && value == 0 {
			return false, nil
		}
		_, err := in.Discard(int(value) * sectorBytes)
		return true, err
	}
	if size > 2*grainBytes || int64(value)*sectorBytes >= capacity {
		return false, errNotStream
	}
	packed := bytes.NewBuffer(sector[12:])
	if rest := size - (sectorBytes - 12); rest > 0 {
		padded := make([]byte, (rest+sectorBytes-1)/sectorBytes*sectorBytes)
		if _, err := io.ReadFull(in, padded); err != nil {
			return false, err
		}
		packed.Write(padded)
	}
	packed.Truncate(size)
	reader, err := zlib.NewReader(packed)
	if err != nil {
		return false, err
	}
	content, err := io.ReadAll(io.LimitReader(reader, grainBytes))
	if err != nil {
		return false, err
	}
	_, err = out.WriteAt(content[:min(int64(len(content)), capacity-int64(value)*sectorBytes)], int64(value)*sectorBytes)
	return true, err
}
