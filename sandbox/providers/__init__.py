"""Identity providers that speak Google's and Facebook's wire on loopback, quirks included."""
