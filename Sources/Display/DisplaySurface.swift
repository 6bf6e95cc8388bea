// SPDX-License-Identifier: GPL-2.0-or-later

import EventLoop
import Glibc

/// A rectangle of pixels.
public struct PixelRectangle: Equatable, Hashable, Sendable {
  public var x: Int
  public var y: Int
  public var width: Int
  public var height: Int
  /// A rectangle with its top left corner at `x`, `y`.
  public init(x: Int, y: Int, width: Int, height: Int) {
    (self.x, self.y, self.width, self.height) = (x, y, width, height)
  }
}

/// Who shows the screen: a VNC server. Called on any thread, with the machine's lock held; must return at
/// once.
public protocol DisplayListener: AnyObject, Sendable {
  /// The surface has a new size; all of it is to be taken as changed.
  func displayResized(width: Int, height: Int)
  /// Pixels inside the rectangle changed.
  func displayUpdated(_ rectangle: PixelRectangle)
}

/// What the guest's screen looks like: 32-bit pixels (bits 23…16 red, 15…8 green, 7…0 blue, in the host's
/// byte order), drawn by the display device, read by listeners.
///
/// Drawing and resizing happen with ``lock`` held, for as short as it takes to draw what changed; readers hold
/// it while they copy pixels out.
public final class DisplaySurface: @unchecked Sendable {
  // Unchecked: size, stride and pixels are guarded by `lock`; `listeners` by the machine's lock.

  /// The largest size in either direction.
  public static let maximumExtent = 16384

  /// Guards the pixels and the size.
  public let lock = MachineLock()
  /// Pixels in a row.
  public private(set) var width: Int
  /// Rows.
  public private(set) var height: Int
  /// Pixels from one row to the next.
  public var stride: Int { width }
  /// The pixels, row by row.
  public private(set) var pixels: UnsafeMutableBufferPointer<UInt32>
  private var listeners: [any DisplayListener] = []

  /// A black surface.
  public init(width: Int = 720, height: Int = 400) {
    (self.width, self.height) = (width, height)
    pixels = Self.black(width * height)
  }

  deinit { free(pixels.baseAddress) }

  private static func black(_ count: Int) -> UnsafeMutableBufferPointer<UInt32> {
    UnsafeMutableBufferPointer(start: .allocateZeroed(capacity: count), count: count)
  }

  /// Adds a listener and tells it the present size.
  public func addListener(_ listener: any DisplayListener) {
    listeners.append(listener)
    listener.displayResized(width: width, height: height)
  }

  /// Gives the surface a new size, black. Sizes out of range are brought into it.
  public func resize(width: Int, height: Int) {
    let width = min(max(width, 1), Self.maximumExtent)
    let height = min(max(height, 1), Self.maximumExtent)
    guard width != self.width || height != self.height else { return }
    lock.withLock {
      free(pixels.baseAddress)
      (self.width, self.height) = (width, height)
      pixels = Self.black(width * height)
    }
    for listener in listeners { listener.displayResized(width: width, height: height) }
  }

  /// Tells the listeners that pixels inside `rectangle` changed. Called after drawing, without ``lock``.
  public func changed(_ rectangle: PixelRectangle) {
    for listener in listeners { listener.displayUpdated(rectangle) }
  }
}

/// A device that draws the screen. Called with the machine's lock held.
public protocol DisplaySource: AnyObject {
  /// Draws what changed since the last call (everything, if `all`) and tells the surface. Called some 30 times
  /// a second while somebody looks, and before a screenshot.
  func refresh(all: Bool)
}
