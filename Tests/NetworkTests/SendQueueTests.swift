// SPDX-License-Identifier: GPL-2.0-or-later

import EventLoop
import Glibc
import TestSupport
import Testing

@testable import Network

@Suite struct SendQueueTests {
  /// The other side of a queue: takes so many frames, and keeps them.
  private final class Sink {
    let bench: Bench
    var taken: [UInt8] = []
    var room = Int.max
    var roomCalls = 0
    var flushes = 0
    var queue: SendQueue!

    init() throws {
      bench = try Bench()
      queue = try SendQueue(
        on: bench.loop,
        transmit: { [unowned self] frames in
          let count = min(frames.count, room)
          room -= count
          for frame in frames.prefix(count) { taken.append(frame[0]) }
          return count
        },
        onFlush: { [unowned self] in
          flushes += 1
          #expect(bench.lock.isHeldByCurrentThread)
          queue.flush()
        },
        onRoom: { [unowned self] in roomCalls += 1 })
    }

    func append(_ number: Int, byteCount: Int = 60) -> Bool {
      var bytes = [UInt8](repeating: UInt8(truncatingIfNeeded: number), count: byteCount)
      return bytes.withUnsafeMutableBytes {
        var piece = iovec(iov_base: $0.baseAddress, iov_len: $0.count)
        return withUnsafePointer(to: &piece) { queue.append(UnsafeBufferPointer(start: $0, count: 1)) }
      }
    }
  }

  @Test func theFirstOfABurstGoPastIt() throws {
    let sink = try Sink()
    sink.bench.lock.withLock {
      var direct = 0
      while sink.queue.allowsDirect() { direct += 1 }
      #expect(direct == 4)
      #expect(sink.append(1))
      sink.queue.endOfBatch()
      // In order: nothing overtakes what waits.
      #expect(!sink.queue.allowsDirect())
    }
    #expect(sink.bench.turn { sink.taken == [1] })
    sink.bench.lock.withLock { #expect(sink.queue.allowsDirect()) }
  }

  @Test func sendsInOrderInSoManyTurnsAsItTakes() throws {
    let sink = try Sink()
    sink.bench.lock.withLock {
      for number in 0..<700 { #expect(sink.append(number)) }
      sink.queue.endOfBatch()
      sink.queue.endOfBatch()
    }
    #expect(sink.bench.turn { sink.taken.count == 700 })
    #expect(sink.taken == (0..<700).map { UInt8(truncatingIfNeeded: $0) })
    // Others have their turn in between.
    #expect(sink.flushes == 3)
    #expect(sink.roomCalls == 0)
  }

  @Test func tellsWhomItRefused() throws {
    let sink = try Sink()
    sink.bench.lock.withLock {
      var count = 0
      while sink.append(count, byteCount: 60_000) { count += 1 }
      #expect(count == 4)
      sink.queue.endOfBatch()
    }
    #expect(sink.bench.turn { sink.roomCalls == 1 })
    #expect(sink.taken == [0, 1, 2, 3])
  }

  /// Several may send by way of a hub: one that has been told to wait is called, whatever others send meanwhile.
  @Test func tellsWhoAskedForRoom() throws {
    let sink = try Sink()
    sink.bench.lock.withLock {
      #expect(sink.queue.hasRoom())
      #expect(sink.append(0, byteCount: 65_000) && sink.append(1, byteCount: 65_000))
      #expect(!sink.queue.hasRoom())
      #expect(sink.append(2, byteCount: PacketLimits.largestFrame))
      sink.queue.endOfBatch()
    }
    #expect(sink.bench.turn { sink.roomCalls == 1 })
    sink.bench.lock.withLock { #expect(sink.queue.hasRoom()) }
  }

  @Test func waitsForAnOtherSideThatIsFull() throws {
    let sink = try Sink()
    sink.room = 40
    sink.bench.lock.withLock {
      for number in 0..<100 { _ = sink.append(number) }
      sink.queue.endOfBatch()
    }
    #expect(sink.bench.turn { sink.queue.isBlocked })
    #expect(sink.taken.count == 40)
    // Nobody asks again and again.
    let before = sink.flushes
    sink.bench.lock.withLock { sink.queue.endOfBatch() }
    for _ in 0..<5 { sink.bench.loop.runOnce(timeoutMilliseconds: 1) }
    #expect(sink.flushes == before)
    sink.room = .max
    sink.bench.lock.withLock {
      sink.queue.unblock()
      sink.queue.flush()
    }
    #expect(sink.taken == (0..<100).map { UInt8($0) })
  }

  @Test func whatWaitsIsSentBeforeItCloses() throws {
    let sink = try Sink()
    sink.room = 3
    sink.bench.lock.withLock {
      for number in 0..<5 { _ = sink.append(number) }
      sink.queue.close()
    }
    #expect(sink.taken == [0, 1, 2])
  }
}
