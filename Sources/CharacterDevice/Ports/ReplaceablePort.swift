// SPDX-License-Identifier: GPL-2.0-or-later

/// A port whose place another can take while the device uses it.
public final class ReplaceablePort: CharacterPort {
  /// The port itself.
  public private(set) var port: any CharacterPort

  /// A port that is `port` for the time being.
  public init(_ port: any CharacterPort) { self.port = port }

  /// Puts another port in its place, and closes the one that was there.
  public func replace(with new: any CharacterPort) {
    let old = port
    let receiver = old.receiver
    old.receiver = nil
    old.close()
    receiver?.characterPortClosed()
    port = new
    new.receiver = receiver
    // What the old one had no room for may fit now.
    receiver?.characterPortBecameWritable()
  }

  public var receiver: (any CharacterReceiver)? {
    get { port.receiver }
    set { port.receiver = newValue }
  }

  public func write(_ bytes: UnsafeRawBufferPointer) -> Int { port.write(bytes) }
  public func receiverBecameReady() { port.receiverBecameReady() }
  public func keepDescriptors() { port.keepDescriptors() }
  public func takeDescriptors() -> [Int32] { port.takeDescriptors() }
  public func close() { port.close() }
}
