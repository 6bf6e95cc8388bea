// SPDX-License-Identifier: GPL-2.0-or-later

import EventLoop
import Glibc
import TestSupport
import Testing

@testable import Block

@Suite struct SnapshotOverlayTests {
  private func overlay(_ harness: BlockHarness, _ path: String, canDiscard: Bool = false) throws
    -> SnapshotOverlay
  {
    let base = try harness.open(path, BlockOptions(isReadOnly: true))
    return try harness.lock.withLock {
      try SnapshotOverlay(
        over: base, directory: harness.directory.path, canDiscard: canDiscard, loop: harness.loop)
    }
  }

  @Test func keepsWritesAndLeavesTheImageAlone() throws {
    let harness = try BlockHarness()
    let bytes = pattern(128 << 10)
    let path = try harness.directory.file("disk", bytes)
    let disk = try overlay(harness, path)
    #expect(disk.byteCount == 128 << 10 && !disk.isReadOnly)
    let new = pattern(1024, seed: 90)
    #expect(harness.write(disk, at: 1536, new) == .success)
    #expect(harness.flush(disk) == .success)
    #expect(harness.read(disk, at: 0, 4096) == (.success, bytes[..<1536] + new + bytes[2560..<4096]))
    harness.close(disk)
    #expect(try contents(of: path) == bytes)
  }

  @Test func refusesWhatItCannotDo() throws {
    let harness = try BlockHarness()
    let disk = try overlay(harness, harness.directory.file("disk", pattern(4096)))
    #expect(harness.read(disk, at: 100, 512).0 == .failed(code: EINVAL))
    #expect(harness.read(disk, at: 3584, 1024).0 == .failed(code: EINVAL))
    #expect(harness.write(disk, at: 4096, pattern(512)) == .failed(code: ENOSPC))
    #expect(harness.write(disk, at: 0, pattern(100)) == .failed(code: EINVAL))
    harness.close(disk)
  }

  @Test func saysWhereItCouldNotMakeItsFile() throws {
    let harness = try BlockHarness()
    let base = ScriptedDevice()
    let error = #expect(throws: BlockError.self) {
      try SnapshotOverlay(over: base, directory: "/nonexistent", loop: harness.loop)
    }
    #expect(error?.description.contains("/nonexistent") == true)
    #expect(error?.description.contains("TMPDIR") == true)
  }

  /// A read that is under way while its sectors are written must see the old or the new data, nothing else.
  @Test func readsSeeTheBaseUntilTheWriteIsDone() throws {
    let harness = try BlockHarness()
    let bytes = pattern(64 << 10)
    let disk = try overlay(harness, harness.directory.file("disk", bytes))
    let new = UnsafeMutableRawBufferPointer.allocate(byteCount: 32 << 10, alignment: 4096)
    let seen = UnsafeMutableRawBufferPointer.allocate(byteCount: 32 << 10, alignment: 4096)
    defer {
      new.deallocate()
      seen.deallocate()
    }
    new.initializeMemory(as: UInt8.self, repeating: 0xA5)
    let write = harness.request(.write, offset: 0, buffer: new)
    let read = harness.request(.read, offset: 0, buffer: seen)
    harness.lock.withLock {
      disk.submit(write)
      disk.submit(read)
      disk.drain()
    }
    #expect(Array(seen) == Array(bytes[..<(32 << 10)]) || seen.allSatisfy { $0 == 0xA5 })
    #expect(harness.read(disk, at: 0, 32 << 10).1.allSatisfy { $0 == 0xA5 })
    harness.close(disk)
  }

  @Test func longChainsOfCompletionsDoNotNest() throws {
    final class Chain: BlockRequestOwner {
      var left = 20000
      let disk: any BlockDevice
      init(_ disk: any BlockDevice) { self.disk = disk }
      func blockRequestCompleted(_ request: BlockRequest) {
        left -= 1
        if left > 0 { disk.submit(request) }
      }
    }
    let harness = try BlockHarness()
    let snapshot = try overlay(harness, harness.directory.file("base", pattern(4096)))
    let plain = try harness.open(harness.directory.file("disk", pattern(4096)))
    for disk in [snapshot, plain] as [any BlockDevice] {
      let chain = Chain(disk)
      let request = BlockRequest(owner: chain)
      // Ignored: done at once.
      request.operation = .discard
      request.byteCount = 512
      harness.lock.withLock { disk.submit(request) }
      while chain.left > 0 { harness.loop.runOnce(timeoutMilliseconds: 1000) }
      harness.close(disk)
    }
  }

  @Test func behavesLikeAByteArray() throws {
    let seed = UInt64.random(in: .min ... .max)
    var generator = SeededGenerator(seed: seed)
    let harness = try BlockHarness()
    let sectors = 512
    let bytes = pattern(sectors * 512)
    var model = bytes
    let path = try harness.directory.file("disk", bytes)
    let disk = try overlay(harness, path, canDiscard: true)
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 64 << 10, alignment: 4096)
    defer { buffer.deallocate() }
    let request = BlockRequest(owner: harness)
    for step in 0..<400 {
      let count = Int.random(in: 1...100, using: &generator)
      let first = Int.random(in: 0...(sectors - count), using: &generator)
      let range = (first * 512)..<((first + count) * 512)
      let part = UnsafeMutableRawBufferPointer(rebasing: buffer[..<range.count])
      let segment = [Int.max, 4096, 1000].randomElement(using: &generator) ?? 4096
      switch Int.random(in: 0..<6, using: &generator) {
      case 0, 1, 2:
        harness.fill(request, .read, offset: UInt64(range.lowerBound), buffer: part, segment: segment)
        #expect(harness.perform(request, on: disk) == .success)
        #expect(Array(part) == Array(model[range]), "seed \(seed), step \(step)")
      case 3, 4:
        let new = pattern(range.count, seed: UInt8.random(in: 0...255, using: &generator))
        part.copyBytes(from: new)
        harness.fill(request, .write, offset: UInt64(range.lowerBound), buffer: part, segment: segment)
        #expect(harness.perform(request, on: disk) == .success)
        model.replaceSubrange(range, with: new)
      default:
        let operation: BlockOperation = Bool.random(using: &generator) ? .discard : .writeZeroes
        harness.fill(
          request, operation, offset: UInt64(range.lowerBound), buffer: nil, byteCount: UInt64(range.count))
        #expect(harness.perform(request, on: disk) == .success)
        for index in range { model[index] = 0 }
      }
    }
    harness.close(disk)
    #expect(try contents(of: path) == bytes)
  }

  @Test func mapsRunsOfSectors() throws {
    let map = try #require(SectorMap(sectorCount: 1000))
    #expect(map.run(from: 0, limit: 1000) == (false, 1000))
    map.mark(first: 60, count: 10)
    map.mark(first: 128, count: 64)
    map.mark(first: 999, count: 50)
    #expect(map.run(from: 0, limit: 1000) == (false, 60))
    #expect(map.run(from: 60, limit: 1000) == (true, 10))
    #expect(map.run(from: 65, limit: 2) == (true, 2))
    #expect(map.run(from: 70, limit: 1000) == (false, 58))
    #expect(map.run(from: 128, limit: 1000) == (true, 64))
    #expect(map.run(from: 192, limit: 1000) == (false, 807))
    #expect(map.run(from: 999, limit: 1) == (true, 1))
  }
}
