// SPDX-License-Identifier: GPL-2.0-or-later

/// A viewer as others know it.
public struct ViewerFacts: Sendable, Equatable {
  /// Counts the viewers of a server.
  public let number: Int
  /// Where it comes from: "127.0.0.1:40123", or a word for what has no address.
  public let peer: String
  /// Whether it came from a browser.
  public let isBrowser: Bool
}

/// What a viewer does.
public enum ViewerEvent: Sendable {
  /// It has said that it is one.
  case connected
  /// It has been let in, and sees the screen.
  case initialized
  case disconnected
}
