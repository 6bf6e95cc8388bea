// SPDX-License-Identifier: GPL-2.0-or-later

import TestSupport
import Testing

@testable import Network

@Suite struct PacketQueueTests {
  private func append(_ frame: [UInt8], to queue: PacketQueue) -> Bool {
    frame.withUnsafeBytes { queue.append($0) }
  }

  @Test func keepsOrderAndBounds() {
    let queue = PacketQueue(capacity: 64)
    #expect(queue.first == nil)
    #expect(append(Array(repeating: 1, count: 25), to: queue))
    #expect(append(Array(repeating: 2, count: 20), to: queue))
    #expect(!append(Array(repeating: 3, count: 20), to: queue))
    #expect(queue.count == 2)
    #expect(queue.first.map { Array($0) } == Array(repeating: 1, count: 25))
    queue.removeFirst()
    // It lies at the start now: behind the end there is no room.
    #expect(append(Array(repeating: 3, count: 20), to: queue))
    queue.removeFirst()
    #expect(queue.first.map { Array($0) } == Array(repeating: 3, count: 20))
    queue.removeFirst()
    #expect(queue.isEmpty && queue.byteCount == 0)
  }

  @Test func takesAsManyAsAnArray() {
    var generator = SeededGenerator(seed: 7)
    let queue = PacketQueue(capacity: 4096)
    var model: [[UInt8]] = []
    for _ in 0..<20_000 {
      if Bool.random(using: &generator) {
        let frame = [UInt8](
          repeating: UInt8.random(in: 0...255, using: &generator),
          count: Int.random(in: 0...900, using: &generator))
        if append(frame, to: queue) {
          model.append(frame)
        } else {
          // Refused only when there is little room: a frame may lose as much again at the end.
          #expect(queue.byteCount > 4096 - 2 * 908)
        }
      } else if !model.isEmpty {
        #expect(queue.first.map { Array($0) } == model.removeFirst())
        queue.removeFirst()
      }
      #expect(queue.count == model.count)
      if queue.count > 0, queue.count % 5 == 0 {
        // All but one of those that are there, or three.
        let wanted = Bool.random(using: &generator) ? queue.count - 1 : 3
        withUnsafeTemporaryAllocation(of: UnsafeRawBufferPointer.self, capacity: wanted) { list in
          #expect(queue.first(into: list) == wanted)
          #expect(list.map { Array($0) } == Array(model[..<wanted]))
        }
        queue.removeFirst(wanted)
        model.removeFirst(wanted)
      }
    }
  }
}
