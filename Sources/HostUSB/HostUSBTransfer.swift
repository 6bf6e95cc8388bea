// SPDX-License-Identifier: GPL-2.0-or-later

/// Who is told that a transfer has ended: on the event loop with the machine's lock held, never from within
/// ``HostUSBTransfer/submit()``.
public protocol HostUSBTransferOwner: AnyObject {
  /// It ended; ``HostUSBTransfer/result`` says how.
  func hostTransferEnded(_ transfer: HostUSBTransfer)
}

/// A transfer with a device of the host, through memory of its own. Made by ``HostUSBDevice/makeTransfer()`` and used
/// again and again.
open class HostUSBTransfer {
  /// What kind of endpoint it is for, by the number in descriptors.
  public enum Kind: UInt8, Sendable {
    case control = 0
    case bulk = 2
    case interrupt = 3
  }

  /// How it ended.
  public enum Result: Sendable {
    case success
    /// The endpoint is halted, or the control request refused.
    case stall
    /// The device sent more than was asked for.
    case babble
    /// No good answer.
    case error
    /// It was cancelled; some data may have been moved.
    case cancelled
    /// The device is gone.
    case gone
  }

  /// The longest, in bytes. The host's kernel lets all programs together have 16 MiB under way unless told otherwise.
  public static let maximumByteCount = 4 << 20
  private static let setupByteCount = 8

  public private(set) var kind = Kind.control
  /// The endpoint's number, and bit 7 for IN; 0 for control transfers.
  public private(set) var endpoint: UInt8 = 0
  /// The number of bytes of data asked for, or offered.
  public private(set) var byteCount = 0
  /// The number of bytes that were moved.
  public private(set) var doneCount = 0
  public private(set) var result = Result.success
  /// Whether the host has it.
  public private(set) var isInFlight = false
  /// Who is told of its end.
  public weak var owner: (any HostUSBTransferOwner)?
  /// The SETUP packet, and behind it the data.
  private var memory: UnsafeMutableRawBufferPointer

  /// An idle one.
  public init() {
    memory = .allocate(byteCount: Self.setupByteCount + 512, alignment: 16)
    memory.initializeMemory(as: UInt8.self, repeating: 0)
  }

  deinit { memory.deallocate() }

  /// Makes it ready for a transfer; its data is undefined. Not while it is in flight.
  /// - Parameter setup: of a control transfer the SETUP packet, the first byte lowest.
  /// - Returns: false if it is too long.
  public func prepare(_ kind: Kind, endpoint: UInt8, byteCount: Int, setup: UInt64 = 0) -> Bool {
    guard !isInFlight, 0...Self.maximumByteCount ~= byteCount else { return false }
    if memory.count < Self.setupByteCount + byteCount {
      memory.deallocate()
      memory = .allocate(byteCount: Self.setupByteCount + byteCount, alignment: 16)
      memory.initializeMemory(as: UInt8.self, repeating: 0)
    }
    memory.storeBytes(of: setup.littleEndian, as: UInt64.self)
    (self.kind, self.endpoint, self.byteCount) = (kind, endpoint, byteCount)
    (doneCount, result) = (0, .success)
    return true
  }

  /// The bytes of data that it has memory for.
  public var capacity: Int { memory.count - Self.setupByteCount }

  /// The data, of the length asked for.
  public var data: UnsafeMutableRawBufferPointer {
    UnsafeMutableRawBufferPointer(rebasing: memory[Self.setupByteCount..<(Self.setupByteCount + byteCount)])
  }

  /// What the host is given: of a control transfer the SETUP packet and the data.
  public var message: UnsafeMutableRawBufferPointer {
    guard kind == .control else { return data }
    return UnsafeMutableRawBufferPointer(rebasing: memory[..<(Self.setupByteCount + byteCount)])
  }

  /// Hands it to the host.
  /// - Returns: false if the host does not take it.
  public final func submit() -> Bool {
    guard !isInFlight else { return false }
    isInFlight = start()
    return isInFlight
  }

  /// Asks for it back: it ends in any case, but not within the call.
  public final func cancel() { if isInFlight { stop() } }

  /// Ends it and tells the owner.
  public final func end(_ result: Result, doneCount: Int) {
    guard isInFlight else { return }
    isInFlight = false
    self.result = result
    // The host's library is not believed either.
    self.doneCount = min(max(doneCount, 0), byteCount)
    owner?.hostTransferEnded(self)
  }

  // MARK: For subclasses

  /// Hands it to the host, which calls ``end(_:doneCount:)`` later.
  open func start() -> Bool { false }
  /// Has the host end it.
  open func stop() {}
}
