// SPDX-License-Identifier: GPL-2.0-or-later

/// The host's end of a serial line, parallel port or debug console: bytes out, bytes in.
///
/// Called with the machine's lock held.
public protocol CharacterPort: AnyObject {
  /// Takes bytes from the device; returns how many it accepted. If fewer than offered, the receiver's
  /// ``CharacterReceiver/characterPortBecameWritable()`` is called when there is room again.
  func write(_ bytes: UnsafeRawBufferPointer) -> Int
  /// The device that gets what comes in; set once by the device.
  var receiver: (any CharacterReceiver)? { get set }
  /// The device has room again after it took less than was offered.
  func receiverBecameReady()
  /// Has the port keep the descriptors that come with the bytes (SCM_RIGHTS), if it is a socket that can carry them.
  func keepDescriptors()
  /// Takes the descriptors that came with the bytes received last; they are the caller's to close.
  func takeDescriptors() -> [Int32]
  /// Lets the host's end go, and puts back what was changed there; nothing comes in or goes out any more.
  func close()
}

extension CharacterPort {
  public func keepDescriptors() {}
  public func takeDescriptors() -> [Int32] { [] }
  public func close() {}
}

/// The device at the guest's end.
public protocol CharacterReceiver: AnyObject {
  /// Bytes came in; returns how many were taken. The rest is offered again after
  /// ``CharacterPort/receiverBecameReady()``.
  func receive(_ bytes: UnsafeRawBufferPointer) -> Int
  /// The port has room again.
  func characterPortBecameWritable()
  /// The other side sent a break.
  func receiveBreak()
  /// Somebody has come to the other side. Where nobody comes and goes, it is told once at the start.
  func characterPortOpened()
  /// The other side has gone.
  func characterPortClosed()
}

extension CharacterReceiver {
  public func receiveBreak() {}
  public func characterPortOpened() {}
  public func characterPortClosed() {}
}

/// A port connected to nothing: output is taken and lost, nothing comes in.
public final class NullCharacterPort: CharacterPort {
  public var receiver: (any CharacterReceiver)?
  /// A port connected to nothing.
  public init() {}
  public func write(_ bytes: UnsafeRawBufferPointer) -> Int { bytes.count }
  public func receiverBecameReady() {}
}
