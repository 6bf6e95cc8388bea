// SPDX-License-Identifier: GPL-2.0-or-later

import EventLoop
import Glibc
import TestSupport
import Testing

@testable import Block

@Suite struct RawImageTests {
  @Test(arguments: CacheMode.allCases)
  func readsAndWritesInEveryCacheMode(cache: CacheMode) throws {
    let harness = try BlockHarness()
    let bytes = pattern(64 << 10)
    let path = try harness.directory.file("disk", bytes)
    let image = try harness.open(path, BlockOptions(cache: cache))
    #expect(image.byteCount == 64 << 10)
    #expect(harness.read(image, at: 4096, 8192) == (.success, Array(bytes[4096..<12288])))
    let new = pattern(1024, seed: 77)
    #expect(harness.write(image, at: 512, new) == .success)
    #expect(harness.flush(image) == .success)
    #expect(harness.read(image, at: 0, 2048) == (.success, bytes[..<512] + new + bytes[1536..<2048]))
    harness.close(image)
    #expect(try contents(of: path) == bytes[..<512] + new + bytes[1536...])
  }

  @Test(arguments: [AsynchronousIO.threads, .native])
  func passesThePageCacheByWithEitherEngine(engine: AsynchronousIO) throws {
    let harness = try BlockHarness()
    let bytes = pattern(128 << 10)
    var options = BlockOptions(cache: .none)
    options.aio = engine
    let image = try harness.open(harness.directory.file("disk", bytes), options)
    if image.isDirect { #expect(image.engine == engine) }
    #expect(harness.read(image, at: 0, 128 << 10) == (.success, bytes))
    // Memory that is not aligned, and a part of a block.
    #expect(harness.read(image, at: 4096, 4096, misalignment: 2) == (.success, Array(bytes[4096..<8192])))
    #expect(harness.write(image, at: 8192, pattern(8192, seed: 5), misalignment: 6) == .success)
    #expect(harness.write(image, at: 100, [1, 2, 3]) == .success)
    #expect(harness.read(image, at: 99, 5) == (.success, [bytes[99], 1, 2, 3, bytes[103]]))
    #expect(harness.read(image, at: 8192, 8192) == (.success, pattern(8192, seed: 5)))
    harness.close(image)
  }

  @Test(arguments: [CacheMode.writeback, .none])
  func padsAShortTail(cache: CacheMode) throws {
    let harness = try BlockHarness()
    let bytes = pattern(1000)
    let path = try harness.directory.file("disk", bytes)
    let image = try harness.open(path, BlockOptions(cache: cache))
    #expect(image.byteCount == 1024)
    #expect(harness.read(image, at: 512, 512) == (.success, bytes[512...] + [UInt8](repeating: 0, count: 24)))
    #expect(harness.read(image, at: 0, 1024).1 == bytes + [UInt8](repeating: 0, count: 24))
    #expect(try contents(of: path).count == 1000)
    let sector = pattern(512, seed: 9)
    #expect(harness.write(image, at: 512, sector) == .success)
    harness.close(image)
    #expect(try contents(of: path) == bytes[..<512] + sector)
  }

  @Test func readsZeroesWhereTheFileWasCutShort() throws {
    let harness = try BlockHarness()
    let path = try harness.directory.file("disk", pattern(8192))
    let image = try harness.open(path)
    truncate(path, 4096)
    #expect(
      harness.read(image, at: 3584, 1024) == (
        .success, pattern(8192)[3584..<4096] + [UInt8](repeating: 0, count: 512)
      ))
    harness.close(image)
  }

  @Test func refusesWhatReachesOutside() throws {
    let harness = try BlockHarness()
    let image = try harness.open(harness.directory.file("disk", pattern(4096)))
    #expect(harness.read(image, at: 3584, 1024).0 == .failed(code: EINVAL))
    #expect(harness.read(image, at: .max - 100, 512).0 == .failed(code: EINVAL))
    #expect(harness.write(image, at: 4096, pattern(512)) == .failed(code: ENOSPC))
    for operation in [BlockOperation.discard, .writeZeroes] {
      let request = harness.request(operation, offset: 512, byteCount: .max)
      #expect(harness.perform(request, on: image) == .failed(code: ENOSPC))
    }
    #expect(harness.read(image, at: 4096, 0).0 == .success)
    harness.close(image)
    #expect(harness.read(image, at: 0, 512).0 == .failed(code: EIO))
  }

  @Test func refusesWritesToAReadOnlyImage() throws {
    let harness = try BlockHarness()
    let path = try harness.directory.file("disk", pattern(4096))
    let image = try harness.open(path, BlockOptions(isReadOnly: true))
    #expect(image.isReadOnly)
    #expect(harness.write(image, at: 0, pattern(512, seed: 3)) == .failed(code: EROFS))
    #expect(harness.flush(image) == .success)
    harness.close(image)
    #expect(try contents(of: path) == pattern(4096))
  }

  @Test func discardGivesSpaceBackIfAsked() throws {
    let harness = try BlockHarness()
    let path = try harness.directory.file("disk", pattern(128 << 10))
    func blocks() -> Int {
      var status = stat()
      stat(path, &status)
      return Int(status.st_blocks)
    }
    let before = blocks()
    let ignoring = try harness.open(path)
    #expect(!ignoring.canDiscard)
    let request = harness.request(.discard, offset: 0, byteCount: 64 << 10)
    #expect(harness.perform(request, on: ignoring) == .success)
    harness.close(ignoring)
    #expect(try contents(of: path) == pattern(128 << 10))
    var options = BlockOptions()
    options.discard = .unmap
    let unmapping = try harness.open(path, options)
    #expect(unmapping.canDiscard)
    #expect(harness.perform(request, on: unmapping) == .success)
    harness.close(unmapping)
    #expect(blocks() < before)
    #expect(try contents(of: path).count == 128 << 10)
  }

  @Test(arguments: [CacheMode.writeback, .none])
  func writesZeroes(cache: CacheMode) throws {
    let harness = try BlockHarness()
    let path = try harness.directory.file("disk", pattern(64 << 10))
    let image = try harness.open(path, BlockOptions(cache: cache))
    let request = harness.request(.writeZeroes, offset: 1536, byteCount: 20480)
    #expect(harness.perform(request, on: image) == .success)
    harness.close(image)
    var expected = pattern(64 << 10)
    for index in 1536..<(1536 + 20480) { expected[index] = 0 }
    #expect(try contents(of: path) == expected)
  }

  @Test func drainsWithoutTheLoop() throws {
    let harness = try BlockHarness()
    let path = try harness.directory.file("disk", pattern(128 << 10))
    let image = try harness.open(path)
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 128 << 10, alignment: 4096)
    defer { buffer.deallocate() }
    buffer.copyBytes(from: pattern(128 << 10, seed: 40))
    let requests = (0..<32).map { (index: Int) -> BlockRequest in
      let part = UnsafeMutableRawBufferPointer(rebasing: buffer[(index * 4096)...].prefix(4096))
      return harness.request(.write, offset: UInt64(index * 4096), buffer: part)
    }
    harness.lock.withLock {
      for request in requests { image.submit(request) }
      image.drain()
      #expect(requests.allSatisfy { !$0.isInFlight })
      #expect(harness.completions.count == 32)
    }
    // What the workers rang for in the meantime finds nothing to do.
    harness.loop.runOnce(timeoutMilliseconds: 0)
    #expect(harness.completions.count == 32)
    harness.close(image)
    #expect(try contents(of: path).prefix(32 * 4096) == pattern(128 << 10, seed: 40).prefix(32 * 4096))
  }

  @Test func cancelledRequestsCompleteOnce() throws {
    let harness = try BlockHarness()
    let image = try harness.open(harness.directory.file("disk", pattern(128 << 10)))
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 4096, alignment: 4096)
    defer { buffer.deallocate() }
    buffer.initializeMemory(as: UInt8.self, repeating: 0)
    let requests = (0..<64).map { harness.request(.write, offset: UInt64($0 % 32) * 4096, buffer: buffer) }
    harness.lock.withLock {
      for request in requests { image.submit(request) }
      for request in requests { image.cancel(request) }
      for request in requests { image.cancel(request) }
      image.drain()
    }
    #expect(harness.completions.count == 64)
    #expect(harness.completions.allSatisfy { $0 == .success || $0 == .cancelled })
    harness.close(image)
  }

  @Test(arguments: [CacheMode.writeback, .none, .directsync])
  func behavesLikeAByteArray(cache: CacheMode) throws {
    let seed = UInt64.random(in: .min ... .max)
    var generator = SeededGenerator(seed: seed)
    let harness = try BlockHarness()
    let count = 256 << 10
    var model = pattern(count - 300)
    let path = try harness.directory.file("disk", model)
    model += [UInt8](repeating: 0, count: 300)
    var options = BlockOptions(cache: cache)
    options.discard = .unmap
    let image = try harness.open(path, options)
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 64 << 10, alignment: 4096)
    defer { buffer.deallocate() }
    let request = BlockRequest(owner: harness)
    for step in 0..<300 {
      let unit = [1, 512, 4096].randomElement(using: &generator) ?? 1
      let length = Int.random(in: 1...(32 << 10) / unit, using: &generator) * unit
      let offset = Int.random(in: 0...(count - length) / unit, using: &generator) * unit
      let shift = [0, 0, 2, 512].randomElement(using: &generator) ?? 0
      let part = UnsafeMutableRawBufferPointer(rebasing: buffer[shift..<(shift + length)])
      let segment = [Int.max, 4096, 1000].randomElement(using: &generator) ?? 4096
      switch Int.random(in: 0..<5, using: &generator) {
      case 0, 1:
        harness.fill(request, .read, offset: UInt64(offset), buffer: part, segment: segment)
        #expect(harness.perform(request, on: image) == .success)
        #expect(Array(part) == Array(model[offset..<(offset + length)]), "seed \(seed), step \(step)")
      case 2, 3:
        let bytes = pattern(length, seed: UInt8.random(in: 0...255, using: &generator))
        part.copyBytes(from: bytes)
        harness.fill(request, .write, offset: UInt64(offset), buffer: part, segment: segment)
        #expect(harness.perform(request, on: image) == .success)
        model.replaceSubrange(offset..<(offset + length), with: bytes)
      default:
        harness.fill(request, .writeZeroes, offset: UInt64(offset), buffer: nil, byteCount: UInt64(length))
        #expect(harness.perform(request, on: image) == .success)
        for index in offset..<(offset + length) { model[index] = 0 }
      }
    }
    harness.close(image)
    let final = try contents(of: path)
    #expect(final == Array(model[..<final.count]), "seed \(seed)")
  }

  /// Many requests at once, each on a region of its own, some taken back.
  @Test(arguments: [CacheMode.writeback, .none])
  func keepsManyRequestsApart(cache: CacheMode) throws {
    let seed = UInt64.random(in: .min ... .max)
    var generator = SeededGenerator(seed: seed)
    let harness = try BlockHarness()
    let (regions, size) = (24, 8192)
    var model = pattern(regions * size)
    let path = try harness.directory.file("disk", model)
    let image = try harness.open(path, BlockOptions(cache: cache))
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: regions * size, alignment: 4096)
    defer { buffer.deallocate() }
    let requests = (0..<regions).map { _ in BlockRequest(owner: harness) }
    for round in 0..<30 {
      var isWrite = [Bool](repeating: false, count: regions)
      for index in 0..<regions {
        isWrite[index] = Bool.random(using: &generator)
        // Some lie across the blocks that O_DIRECT works with.
        let shift = Int.random(in: 0..<4, using: &generator) == 0 ? 100 : 0
        let range = (index * size + shift)..<((index + 1) * size - shift)
        let part = UnsafeMutableRawBufferPointer(rebasing: buffer[range])
        if isWrite[index] { part.copyBytes(from: pattern(range.count, seed: UInt8(round * 7 & 0xFF))) }
        harness.fill(
          requests[index], isWrite[index] ? .write : .read, offset: UInt64(range.lowerBound), buffer: part)
      }
      harness.lock.withLock { for request in requests { image.submit(request) } }
      let cancelled = Int.random(in: 0..<regions, using: &generator)
      harness.lock.withLock { image.cancel(requests[cancelled]) }
      if Bool.random(using: &generator) { harness.lock.withLock { image.drain() } }
      for index in 0..<regions {
        let result = harness.wait(for: requests[index])
        #expect(result == .success || index == cancelled && result == .cancelled, "seed \(seed)")
        guard result == .success else { continue }
        let start = Int(requests[index].offset)
        let range = start..<(start + requests[index].segmentByteCount)
        if isWrite[index] {
          model.replaceSubrange(range, with: buffer[range])
        } else {
          #expect(model[range].elementsEqual(buffer[range]), "seed \(seed), round \(round)")
        }
      }
    }
    #expect(harness.completions.count == regions * 30)
    harness.close(image)
    #expect(try contents(of: path) == model, "seed \(seed)")
  }

  @Test func anOwnerMayDrainFromWithinACompletion() throws {
    final class Drainer: BlockRequestOwner {
      var image: RawImage?
      var completions = 0
      func blockRequestCompleted(_ request: BlockRequest) {
        completions += 1
        image?.drain()
      }
    }
    let harness = try BlockHarness()
    for cache in [CacheMode.writeback, .none] {
      let drainer = Drainer()
      let image = try harness.open(
        harness.directory.file("disk", pattern(64 << 10)), BlockOptions(cache: cache))
      drainer.image = image
      let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 4096, alignment: 4096)
      defer { buffer.deallocate() }
      let requests = (0..<8).map { _ in BlockRequest(owner: drainer) }
      for (index, request) in requests.enumerated() {
        let part = UnsafeMutableRawBufferPointer(rebasing: buffer[..<(index % 3 == 0 ? 100 : 4096)])
        harness.fill(request, .read, offset: UInt64(index * 4096), buffer: part)
      }
      harness.lock.withLock { for request in requests { image.submit(request) } }
      while harness.lock.withLock({ drainer.completions < 8 }) {
        harness.loop.runOnce(timeoutMilliseconds: 1000)
      }
      #expect(requests.allSatisfy { !$0.isInFlight })
      drainer.image = nil
      harness.close(image)
    }
  }

  @Test(arguments: [CacheMode.writeback, .none])
  func allocatesNothingOnceWarm(cache: CacheMode) throws {
    final class Counter: BlockRequestOwner {
      var completions = 0
      func blockRequestCompleted(_ request: BlockRequest) { completions += 1 }
    }
    let harness = try BlockHarness()
    let image = try harness.open(
      harness.directory.file("disk", pattern(64 << 10)), BlockOptions(cache: cache))
    let counter = Counter()
    let drive = Drive(name: "hd", kind: .disk, serial: "", medium: image)
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 4096, alignment: 4096)
    defer { buffer.deallocate() }
    buffer.initializeMemory(as: UInt8.self, repeating: 1)
    let request = BlockRequest(owner: counter)
    func rounds(_ count: Int) {
      for round in 0..<count {
        request.operation = [BlockOperation.read, .write, .flush][round % 3]
        let before = counter.completions
        harness.lock.lock()
        drive.submit(request)
        harness.lock.unlock()
        while counter.completions == before { harness.loop.runOnce(timeoutMilliseconds: 1000) }
      }
    }
    harness.fill(request, .read, offset: 4096, buffer: buffer)
    rounds(30)
    let operations = [BlockOperation.read, .write, .flush]
    let count = countingAllocations {
      var round = 0
      while round < 99 {
        request.operation = operations[round % 3]
        let before = counter.completions
        harness.lock.lock()
        drive.submit(request)
        harness.lock.unlock()
        while counter.completions == before { harness.loop.runOnce(timeoutMilliseconds: 1000) }
        round += 1
      }
    }
    #expect(count == 0, "\(count) heap allocations in 99 requests")
    harness.close(image)
  }
}
