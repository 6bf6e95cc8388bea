// SPDX-License-Identifier: GPL-2.0-or-later

import CAIO
import Glibc

/// One context of Linux's asynchronous I/O, whose completions ring an eventfd. Called with the machine's lock
/// held.
final class LinuxAIO {
  private static let depth = 128
  private static let batch = 32

  private var context: io_context_t?
  private let eventDescriptor: Int32
  private let events: UnsafeMutablePointer<io_event>
  /// The number of transfers under way.
  private(set) var inFlight = 0

  /// A context whose completions are added to the eventfd `eventDescriptor`; nil if the host refuses one.
  init?(eventDescriptor: Int32) {
    self.eventDescriptor = eventDescriptor
    events = .allocate(capacity: Self.batch)
    events.initialize(repeating: io_event(), count: Self.batch)
    guard io_setup(Int32(Self.depth), &context) == 0 else { return nil }
  }

  deinit {
    if let context { io_destroy(context) }
    events.deallocate()
  }

  /// Starts the whole transfer of `operation`, which the caller keeps alive until it is reaped.
  /// - Parameter flags: `RWF_…`.
  /// - Returns: false if the kernel's queue is full or it refuses; the caller must do it another way.
  func submit(_ operation: RawOperation, descriptor: Int32, flags: Int32) -> Bool {
    guard inFlight < Self.depth, let context, let request = operation.request else { return false }
    let block = operation.controlBlock
    let segments = request.segments.baseAddress
    let count = Int32(request.segmentCount)
    let offset = Int64(bitPattern: request.offset)
    if request.operation == .write {
      io_prep_pwritev2(block, descriptor, segments, count, offset, flags)
    } else {
      io_prep_preadv2(block, descriptor, segments, count, offset, flags)
    }
    io_set_eventfd(block, eventDescriptor)
    block.pointee.data = Unmanaged.passUnretained(operation).toOpaque()
    var pointer: UnsafeMutablePointer<iocb>? = block
    guard io_submit(context, 1, &pointer) == 1 else { return false }
    inFlight += 1
    return true
  }

  /// Calls `body` with each finished operation and the number of bytes it transferred or its negated `errno`.
  /// - Parameter waits: whether to wait for one if none has finished yet.
  func reap(waits: Bool, _ body: (RawOperation, Int) -> Void) {
    var minimum = waits && inFlight > 0 ? 1 : 0
    while inFlight > 0, let context {
      let count = Int(io_getevents(context, minimum, Self.batch, events, nil))
      if count == -Int(EINTR) { continue }
      guard count > 0 else { return }
      minimum = 0
      inFlight -= count
      // The handler may submit, but must not reap: the events are looked at one by one.
      for index in 0..<count {
        guard let data = events[index].data else { continue }
        let operation = Unmanaged<RawOperation>.fromOpaque(data).takeUnretainedValue()
        body(operation, Int(bitPattern: events[index].res))
      }
    }
  }
}
